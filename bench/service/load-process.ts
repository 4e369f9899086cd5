// Sends the load, and never sleeps while it waits. A client that sleeps is woken by the server's write, which costs the
// server ten microseconds on a virtual machine; and the slower the server, the more of its answers find the client asleep.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type Answered, type Load, type LoadResult, ORIGIN } from "./load.ts";

const CONNECTIONS = 32;
const LARGEST_ANSWER = 65_536;
const ALLOWED = new RegExp(String.raw`^access-control-allow-origin: ${ORIGIN}\r$`, "im");
const HAS_ID = /^x-request-id: \S{36}\r$/im;
const END_OF_HEAD = "\r\n\r\n";

process.on("message", async (wanted: Load) => {
  const answered = await run(wanted).catch((error: Error) => ({
    requests: 0,
    p99Ms: 0,
    wrong: error.message,
  }));
  process.send!(answered satisfies Answered);
});

async function run(wanted: Load): Promise<LoadResult> {
  const text = requestText(wanted);
  const expected = readFileSync(wanted.expected);
  const latencies: number[] = [];
  const end = performance.now() + wanted.seconds * 1_000;
  let isOver = false;

  /** Sends one request after the other over a connection of its own, until the time is up. */
  async function converse(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const buffer = Buffer.allocUnsafe(LARGEST_ANSWER);
    let received: Buffer | undefined;
    let sentAt = 0;
    const send = (): void => {
      sentAt = performance.now();
      socket.write(text, "latin1");
    };
    const onRead = (length: number): boolean => {
      const piece = buffer.subarray(0, length);
      const answer = received === undefined ? piece : Buffer.concat([received, piece]);
      const isWhole = check(answer, expected, wanted.wholeContract, reject);
      // What comes next overwrites the buffer.
      received = isWhole ? undefined : Buffer.from(answer);
      if (!isWhole) return true;
      const now = performance.now();
      latencies.push(now - sentAt);
      if (now < end) send();
      else resolve();
      return true;
    };
    const onread = { buffer, callback: onRead };
    const socket: Socket = connect({ port: wanted.port, host: "127.0.0.1", noDelay: true, onread });
    socket.on("error", reject).on("close", () => reject(new Error("the connection was closed")));
    try {
      await once(socket, "connect");
      send();
      await promise;
    } finally {
      socket.destroy();
    }
  }

  const poll = (): void => {
    if (!isOver) setImmediate(poll);
  };
  poll();
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, converse));
  } finally {
    isOver = true;
  }
  latencies.sort((a, b) => a - b);
  return { requests: latencies.length, p99Ms: latencies[Math.floor(latencies.length * 0.99)]! };
}

function requestText({ port, path, body }: Load): string {
  const head = `Host: 127.0.0.1:${port}\r\nOrigin: ${ORIGIN}\r\n`;
  if (body === "") return `GET ${path} HTTP/1.1\r\n${head}\r\n`;
  const json = readFileSync(body, "latin1");
  const type = `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n`;
  return `POST ${path} HTTP/1.1\r\n${head}${type}\r\n${json}`;
}

/**
 * Looks at all of an answer: an error is fast, and would pass for speed. The headers of all servers are looked at alike.
 * @returns whether it is there to its end.
 */
function check(
  answer: Buffer,
  expected: Buffer,
  wholeContract: boolean,
  reject: (error: Error) => void,
): boolean {
  const endOfHead = answer.indexOf(END_OF_HEAD, 0, "latin1");
  if (endOfHead === -1) return false;
  const head = answer.toString("latin1", 0, endOfHead + 2);
  const body = answer.subarray(endOfHead + END_OF_HEAD.length);
  const isComplete = ALLOWED.test(head) && HAS_ID.test(head);
  const isRight = head.startsWith("HTTP/1.1 200 ") && (isComplete || !wholeContract);
  if (isRight && body.length < expected.length && expected.indexOf(body) === 0) return false;
  if (!isRight || !body.equals(expected)) reject(new Error(answer.toString()));
  return true;
}
