import { on, once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

export interface HangReport {
  /** "function (file:line:column)" from the innermost out; of the TypeScript where there is a source map. */
  stack: string[];
  /** Ids of the requests in flight, the one that blocks among them; undefined in a worker that still boots. */
  requests: string[] | undefined;
}

type InspectorMessage =
  | { method: "Debugger.paused"; params: { callFrames: { callFrameId: string }[] } }
  | { method: undefined; id: number; result: { result: { value: string } } };

const LIMIT_MS = 5_000;
const POLL_MS = 20;
const EVALUATE_ID = 3;
const REQUESTS = "cluster.requestsInFlight";

// Runs in the paused process, on top of its innermost frame: the first two lines of the stack are its own.
const REPORT = `Error.stackTraceLimit = 21, JSON.stringify({
  stack: String(new Error().stack).replace(/ \\[as .+?\\]/g, "").split(/\\n +at /).slice(2),
  requests: globalThis[Symbol.for("${REQUESTS}")]?.(),
})`;

/** Gives `captureStack` this process's requests: the one that blocks is too recent for any heartbeat. */
export function exposeRequests(list: () => string[]): void {
  Reflect.set(globalThis, Symbol.for(REQUESTS), list);
}

/**
 * Reports on a blocked process. SIGUSR1 wakes Node's inspector, which has a thread of its own and so answers even
 * when the event loop does not. Loopback only, seconds before the kill.
 * @returns undefined without an answer within 5 s, as from a process that is stopped or runs no JavaScript.
 */
export async function captureStack(pid: number, port: number): Promise<HangReport | undefined> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  try {
    process.kill(pid, "SIGUSR1");
    return await pauseAndAsk(await findInspector(port, signal), signal);
  } catch {
    return undefined; // The worker is killed in any case.
  }
}

async function findInspector(port: number, signal: AbortSignal): Promise<string> {
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/json/list`, { signal });
      const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[];
      if (target) return target.webSocketDebuggerUrl;
    } catch {
      // Not listening yet.
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

async function pauseAndAsk(url: string, signal: AbortSignal): Promise<HangReport | undefined> {
  const socket = new WebSocket(url);
  const send = (id: number, method: string, params = {}): void =>
    socket.send(JSON.stringify({ id, method, params }));
  try {
    await once(socket, "open", { signal });
    const events = on(socket, "message", { signal });
    send(1, "Debugger.enable");
    send(2, "Debugger.pause");
    for await (const [{ data }] of events as AsyncIterable<[MessageEvent]>) {
      const message = JSON.parse(String(data)) as InspectorMessage;
      if (message.method === "Debugger.paused") {
        const callFrameId = message.params.callFrames[0]?.callFrameId;
        send(EVALUATE_ID, "Debugger.evaluateOnCallFrame", { callFrameId, expression: REPORT });
      } else if (message.id === EVALUATE_ID) {
        return JSON.parse(message.result.result.value) as HangReport;
      }
    }
    return undefined;
  } finally {
    socket.close();
  }
}
