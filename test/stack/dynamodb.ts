import { rename } from "node:fs/promises";
import { join } from "node:path";

import { network } from "../../src/system/network.ts";
import { build } from "./build.ts";
import { cached } from "./cache.ts";
import { answers, scratchFolder, startRestartable } from "./server.ts";

const VERSION = "3.2.0";

/** A DynamoDB: dynoxide. */
export interface DynamoDb extends AsyncDisposable {
  /** What AWS_ENDPOINT_URL_DYNAMODB is to be. */
  endpoint: string;
  port: number;
  /** Calls an operation of the API, such as CreateTable. */
  call: (operation: string, input: object) => Promise<Record<string, unknown>>;
  stop: () => Promise<void>;
  /** Starts it again, on the same port and data. */
  start: () => Promise<void>;
}

/** Its program; compiled once, for there is no binary to be had. */
export async function installDynamoDb(): Promise<string> {
  const folder = await cached(`dynoxide-${VERSION}`, async (part) => {
    await build(`dynoxide ${VERSION} (DynamoDB), 4 minutes on two idle cores`, [
      {
        command: [
          ...(["cargo", "install", "dynoxide-rs", "--version", VERSION, "--locked"] as const),
          ...["--no-default-features", "--features", "native-sqlite,http-server,cli"],
          ...["--root", part],
        ],
        // Half the build time of the crate's own profile, and fast enough for tests.
        env: {
          CARGO_PROFILE_RELEASE_LTO: "off",
          CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16",
          CARGO_PROFILE_RELEASE_OPT_LEVEL: "1",
        },
        needs: "Rust 1.88 or newer, and a C compiler",
      },
    ]);
    await rename(join(part, "bin/dynoxide"), join(part, "dynoxide"));
  });
  return join(folder, "dynoxide");
}

/** Starts an empty DynamoDB on a free port. */
export async function startDynamoDb(): Promise<DynamoDb> {
  const program = await installDynamoDb();
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await scratchFolder("dynamodb"));
  const [port = 0] = await network.freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const server = stack.use(
    await startRestartable({
      name: "dynamodb",
      command: [
        ...([program, "serve", "--host", "127.0.0.1", "--port", `${port}`] as const),
        ...["--db-path", join(folder.path, "data")],
      ],
      folder: folder.path,
      ready: () => answers(endpoint, 200, requestOf("ListTables", {})),
    }),
  );
  const resources = stack.move();
  return {
    endpoint,
    port,
    call: (operation, input) => call(endpoint, operation, input),
    stop: server.stop,
    start: server.start,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function call(
  endpoint: string,
  operation: string,
  input: object,
): Promise<Record<string, unknown>> {
  const response = await fetch(endpoint, requestOf(operation, input));
  const output = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${operation}: ${JSON.stringify(output)}`);
  return output;
}

/** It does not look at signatures, only for one. */
function requestOf(operation: string, input: object): RequestInit {
  const scope = "test/20260101/us-east-1/dynamodb/aws4_request";
  return {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `DynamoDB_20120810.${operation}`,
      "x-amz-date": "20260101T000000Z",
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
    },
    body: JSON.stringify(input),
  };
}
