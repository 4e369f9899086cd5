import { setTimeout as delay } from "node:timers/promises";

interface InspectorTarget {
  title: string;
  webSocketDebuggerUrl: string;
}

interface CallFrame {
  functionName: string;
  url: string;
  location: { lineNumber: number; columnNumber: number };
}

interface InspectorMessage {
  method?: string;
  params?: { callFrames?: CallFrame[] };
}

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
    const frames = await pauseAndAsk(await findTarget(pid, port, limit), limit);
    return frames.slice(0, MAX_FRAMES).map(formatFrame);
  } catch {
    return []; // The worker dies all the same; without a stack is better than not at all.
  }
}

async function findTarget(pid: number, port: number, limit: AbortSignal): Promise<string> {
  for (;;) {
    limit.throwIfAborted();
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/json/list`, { signal: limit });
      const [target] = (await answer.json()) as InspectorTarget[];
      // The title ends in [pid]: another program may have taken the port since.
      if (target?.title.includes(`[${pid}]`)) return target.webSocketDebuggerUrl;
    } catch {
      // Not listening yet.
    }
    await delay(POLL_MS, undefined, { signal: limit });
  }
}

function pauseAndAsk(url: string, limit: AbortSignal): Promise<CallFrame[]> {
  const socket = new WebSocket(url);
  const { promise, resolve, reject } = Promise.withResolvers<CallFrame[]>();
  limit.addEventListener("abort", () => reject(limit.reason as Error), { once: true });
  socket.addEventListener("error", () => reject(new Error("the inspector hung up")));
  socket.addEventListener("open", () => {
    socket.send(JSON.stringify({ id: 1, method: "Debugger.enable" }));
    socket.send(JSON.stringify({ id: 2, method: "Debugger.pause" }));
  });
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as InspectorMessage;
    if (message.method === "Debugger.paused") resolve(message.params?.callFrames ?? []);
  });
  return promise.finally(() => socket.close());
}

function formatFrame({ functionName, url, location }: CallFrame): string {
  const { lineNumber, columnNumber } = location;
  return `${functionName || "(anonymous)"} (${url}:${lineNumber + 1}:${columnNumber + 1})`;
}
