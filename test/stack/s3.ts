import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

import { network } from "../../src/system/network.ts";
import { CREDENTIALS } from "./credentials.ts";
import { installGoProgram } from "./go.ts";
import { answers, scratchFolder, startRestartable } from "./server.ts";

/** An S3 that checks signatures: Versity's gateway in front of a folder. */
export interface S3 extends AsyncDisposable {
  /** What AWS_ENDPOINT_URL_S3 is to be. */
  endpoint: string;
  port: number;
  createBucket: (name: string) => Promise<void>;
  /** The keys of a bucket. */
  keys: (bucket: string) => Promise<string[]>;
  /** Uploads in parts that were begun, and neither completed nor aborted. */
  openUploads: (bucket: string) => Promise<string[]>;
  stop: () => Promise<void>;
  /** Starts it again, on the same port and data. */
  start: () => Promise<void>;
}

// Where the gateway keeps what is not an object yet.
const UNFINISHED = ".sgwtmp";

/** Its program; compiled once. */
export function installS3(): Promise<string> {
  const program = "github.com/versity/versitygw/cmd/versitygw";
  return installGoProgram(program, "v1.8.0", "S3, 2 to 7 minutes");
}

/** Starts an empty S3 on a free port. */
export async function startS3(): Promise<S3> {
  const program = await installS3();
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await scratchFolder("s3"));
  const objects = join(folder.path, "objects");
  await mkdir(objects);
  const [port = 0] = await network.freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const server = stack.use(
    await startRestartable({
      name: "s3",
      command: [
        ...([program, "--port", `127.0.0.1:${port}`, "--health", "/health"] as const),
        ...["--keep-alive", "posix", objects],
      ],
      env: {
        ROOT_ACCESS_KEY_ID: CREDENTIALS.AWS_ACCESS_KEY_ID,
        ROOT_SECRET_ACCESS_KEY: CREDENTIALS.AWS_SECRET_ACCESS_KEY,
      },
      folder: folder.path,
      ready: () => answers(`${endpoint}/health`, 200),
    }),
  );
  const resources = stack.move();
  return {
    endpoint,
    port,
    // A folder is a bucket, and a file an object.
    createBucket: (name) => mkdir(join(objects, name)),
    keys: async (bucket) => {
      const paths = await filesUnder(join(objects, bucket));
      return paths.filter((path) => !path.startsWith(UNFINISHED)).toSorted();
    },
    openUploads: (bucket) => filesUnder(join(objects, bucket, UNFINISHED)),
    stop: server.stop,
    start: server.start,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
