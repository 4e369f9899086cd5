import { setTimeout as delay } from "node:timers/promises";
import { originalPosition } from "./source-position.ts";

interface InspectorTarget {
  webSocketDebuggerUrl: string;
}

interface CallFrame {
  functionName: string;
  location: { scriptId: string; lineNumber: number; columnNumber: number };
}

/** What a paused process gave away. */
export interface Autopsy {
  /** "function (file:line:column)" from the innermost out. */
  stack: string[];
  /** Ids of the requests in flight, the one that blocks among them. */
  requests: string[] | undefined;
}

type InspectorMessage =
  | { id: number; method: undefined; result: { result?: { value?: string } } }
  | { method: "Debugger.scriptParsed"; params: { scriptId: string; url: string } }
  | { method: "Debugger.paused"; params: { callFrames: CallFrame[] } };

// Measured: 0.3 s on an idle machine; several times that where every core is busy.
const LIMIT_MS = 5_000;
const POLL_MS = 20;
const MAX_FRAMES = 20;

/** A function of the worker that lists its requests in flight, for an inspector to call. */
const REQUESTS = "cluster.requestsInFlight";
const EVALUATE_ID = 3;

/** Lets `autopsy` ask this process for its requests: the one that blocks it came too late for any heartbeat. */
export function exposeRequests(list: () => string[]): void {
  Reflect.set(globalThis, Symbol.for(REQUESTS), list);
}

/**
 * Where a blocked process stands in its JavaScript, and for whom. SIGUSR1 wakes Node's inspector, which lives in
 * a thread of its own and so answers even when the event loop does not. Loopback only, seconds before the kill.
 * @returns undefined when there was no answer within 5 s, as from a process that is stopped or runs no JavaScript.
 */
export async function autopsy(pid: number, port: number): Promise<Autopsy | undefined> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  try {
    process.kill(pid, "SIGUSR1");
    return await pauseAndAsk(await findTarget(port, limit), limit);
  } catch {
    return undefined; // The worker dies all the same; without a stack is better than not at all.
  }
}

async function findTarget(port: number, limit: AbortSignal): Promise<string> {
  for (;;) {
    limit.throwIfAborted();
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/json/list`, { signal: limit });
      const [target] = (await answer.json()) as InspectorTarget[];
      if (target) return target.webSocketDebuggerUrl;
    } catch {
      // Not listening yet.
    }
    await delay(POLL_MS, undefined, { signal: limit });
  }
}

function pauseAndAsk(url: string, limit: AbortSignal): Promise<Autopsy> {
  const socket = new WebSocket(url);
  const { promise, resolve, reject } = Promise.withResolvers<Autopsy>();
  const scripts = new Map<string, string>();
  let stack: string[] = [];
  const send = (id: number, method: string, params = {}): void =>
    socket.send(JSON.stringify({ id, method, params }));

  limit.addEventListener("abort", () => reject(limit.reason as Error), { once: true });
  socket.addEventListener("error", () => reject(new Error("the inspector hung up")));
  socket.addEventListener("open", () => {
    // The answer to the first names every script that is loaded; frames refer to them by number.
    send(1, "Debugger.enable");
    send(2, "Debugger.pause");
  });
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as InspectorMessage;
    if (message.method === "Debugger.scriptParsed") {
      scripts.set(message.params.scriptId, message.params.url);
    } else if (message.method === "Debugger.paused") {
      const frames = message.params.callFrames.slice(0, MAX_FRAMES);
      stack = frames.map((frame) => formatFrame(frame, scripts));
      const expression = `JSON.stringify(globalThis[Symbol.for("${REQUESTS}")]())`;
      send(EVALUATE_ID, "Runtime.evaluate", { expression });
    } else if (message.method === undefined && message.id === EVALUATE_ID) {
      resolve({ stack, requests: parseList(message.result.result?.value) });
    }
  });
  return promise.finally(() => socket.close());
}

/** The worker's answer; undefined when it had none, as one that still boots. */
function parseList(text: string | undefined): string[] | undefined {
  try {
    return JSON.parse(text ?? "") as string[];
  } catch {
    return undefined;
  }
}

function formatFrame({ functionName, location }: CallFrame, scripts: Map<string, string>): string {
  const url = scripts.get(location.scriptId) ?? "";
  const position = originalPosition(url, location.lineNumber, location.columnNumber);
  return `${functionName || "(anonymous)"} (${position})`;
}
