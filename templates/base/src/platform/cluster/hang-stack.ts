import { setTimeout as delay } from "node:timers/promises";
import { originalPosition } from "./source-position.ts";

interface InspectorTarget {
  webSocketDebuggerUrl: string;
}

interface CallFrame {
  functionName: string;
  location: { scriptId: string; lineNumber: number; columnNumber: number };
}

type InspectorMessage =
  | { method: "Debugger.scriptParsed"; params: { scriptId: string; url: string } }
  | { method: "Debugger.paused"; params: { callFrames: CallFrame[] } };

const LIMIT_MS = 2_000;
const POLL_MS = 20;
const MAX_FRAMES = 20;

/**
 * Where a blocked process stands in its JavaScript. SIGUSR1 wakes Node's inspector, which lives in a thread of
 * its own and so answers even when the event loop does not. Loopback only, seconds before the kill.
 * @returns "function (file:line:column)" from the innermost out; empty when there was no answer within 2 s,
 * as for a process that is stopped or that does not run JavaScript.
 */
export async function captureStack(pid: number, port: number): Promise<string[]> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  try {
    process.kill(pid, "SIGUSR1");
    return await pauseAndAsk(await findTarget(port, limit), limit);
  } catch {
    return []; // The worker dies all the same; without a stack is better than not at all.
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

function pauseAndAsk(url: string, limit: AbortSignal): Promise<string[]> {
  const socket = new WebSocket(url);
  const scripts = new Map<string, string>();
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  limit.addEventListener("abort", () => reject(limit.reason as Error), { once: true });
  socket.addEventListener("error", () => reject(new Error("the inspector hung up")));
  socket.addEventListener("open", () => {
    // The answer to the first names every script that is loaded; frames refer to them by number.
    socket.send(JSON.stringify({ id: 1, method: "Debugger.enable" }));
    socket.send(JSON.stringify({ id: 2, method: "Debugger.pause" }));
  });
  socket.addEventListener("message", ({ data }) => {
    const { method, params } = JSON.parse(String(data)) as InspectorMessage;
    if (method === "Debugger.scriptParsed") scripts.set(params.scriptId, params.url);
    if (method !== "Debugger.paused") return;
    resolve(params.callFrames.slice(0, MAX_FRAMES).map((frame) => formatFrame(frame, scripts)));
  });
  return promise.finally(() => socket.close());
}

function formatFrame({ functionName, location }: CallFrame, scripts: Map<string, string>): string {
  const url = scripts.get(location.scriptId) ?? "";
  const position = originalPosition(url, location.lineNumber, location.columnNumber);
  return `${functionName || "(anonymous)"} (${position})`;
}
