import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { scratchFolder, type Server, startServer } from "../stack/server.ts";
import { installPython } from "./python.ts";

const HERE = join(import.meta.dirname, "python");

/** One call, as the server saw it. */
export interface MembersCall {
  method: string;
  member: string;
  metadata: Record<string, string>;
  seconds_left: number;
}

/** The members' server, in Python. */
export interface Members extends AsyncDisposable {
  pid: number;
  calls: () => MembersCall[];
  /** TERM lets it finish its calls. */
  stop: (signal?: NodeJS.Signals) => Promise<void>;
}

export interface MembersOptions {
  port: number;
  /** The folder of the service's proto files. */
  proto: string;
  tls?: { certificate: string; key: string };
}

export async function startMembers({ port, proto, tls }: MembersOptions): Promise<Members> {
  const python = await installPython(join(HERE, "grpc.txt"));
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await scratchFolder("members"));
  const log = (): Promise<string> => readFile(join(folder.path, "members.log"), "utf8");
  const files = tls === undefined ? [] : [tls.certificate, tls.key];
  const server: Server = stack.use(
    await startServer({
      name: "members",
      command: [python, join(HERE, "members.py"), `${port}`, proto, ...files],
      folder: folder.path,
      ready: async () => (await log()).includes('"serving"'),
    }),
  );
  const resources = stack.move();
  return {
    pid: server.pid,
    calls: () =>
      server
        .log()
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as MembersCall),
    stop: (signal) => server.stop(signal),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
