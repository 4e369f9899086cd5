import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** A request as the SDK sends it. */
export interface Call {
  operation: string;
  input: { Item?: Record<string, Record<string, unknown>> };
}

interface Refusal {
  status: number;
  /** The name of the error. */
  error: string;
  message?: string;
  Item?: unknown;
}

/** What comes back: the body of a success, an error, or nothing but a broken connection. */
export type Answer = Refusal | Record<string, unknown> | "reset";

/** Speaks the protocol of DynamoDB, and says what it is told to. */
export async function startFakeServer(
  answer: (call: Call, count: number) => Answer | Promise<Answer>,
): Promise<AsyncDisposable & { endpoint: string; calls: Call[] }> {
  const calls: Call[] = [];
  const server = createServer(async (req, res) => {
    const operation = String(req.headers["x-amz-target"]).split(".")[1]!;
    calls.push({ operation, input: (await json(req)) as Call["input"] });
    const given = await answer(calls.at(-1)!, calls.length);
    res.setHeader("Content-Type", "application/x-amz-json-1.0");
    res.setHeader("x-amzn-RequestId", `request-${calls.length}`);
    if (given === "reset") req.socket.destroy();
    else if (isRefusal(given)) res.writeHead(given.status).end(errorBody(given));
    else res.end(JSON.stringify(given));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function isRefusal(answer: Refusal | Record<string, unknown>): answer is Refusal {
  return "error" in answer;
}

function errorBody({ error, message = "no", Item }: Refusal): string {
  return JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${error}`, message, Item });
}
