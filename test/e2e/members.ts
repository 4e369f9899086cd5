import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { network } from "../../src/system/network.ts";
import { scratchFolder, startRestartable } from "../stack/server.ts";
import { installPython } from "./python.ts";

const HERE = join(import.meta.dirname, "python");
const PROTO = join(import.meta.dirname, "../../templates/integrations/grpc/proto");

/** One call, as the server saw it. */
export interface MembersCall {
  method: string;
  member: string;
  metadata: Record<string, string>;
  seconds_left: number;
}

/** The members' server, in Python. */
export interface Members extends AsyncDisposable {
  port: number;
  calls: () => MembersCall[];
  /** TERM lets it finish its calls. */
  stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** Starts it again, on the same port. */
  start: () => Promise<void>;
}

export interface MembersOptions {
  /** A free one when left out. */
  port?: number;
  /** With `clientCa` it takes only clients that show a certificate of that authority. */
  tls?: { certificate: string; key: string; clientCa?: string };
}

export async function startMembers(options: MembersOptions = {}): Promise<Members> {
  const { port = (await network.freePorts(1))[0] ?? 0, tls } = options;
  const python = await installPython(join(HERE, "grpc.txt"));
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await scratchFolder("members"));
  const log = (): Promise<string> => readFile(join(folder.path, "members.log"), "utf8");
  const { certificate, key, clientCa } = tls ?? {};
  const files = [certificate, key, clientCa].filter((file) => file !== undefined);
  let starts = 0;
  const server = stack.use(
    await startRestartable({
      name: "members",
      command: [python, join(HERE, "members.py"), `${port}`, PROTO, ...files],
      folder: folder.path,
      ready: async () => (await log()).split('"serving"').length > starts + 1,
    }),
  );
  const resources = stack.move();
  return {
    port,
    calls: () =>
      server
        .log()
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as MembersCall),
    stop: server.stop,
    start: async () => {
      starts += 1;
      await server.start();
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
