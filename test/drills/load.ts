import { Agent, request } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A request that did not end with 200. */
export interface Failure {
  kind: "refused" | "reset" | "no answer" | `status ${number}`;
  path: string;
  /** The worker at the other end of the connection, as far as an earlier answer told. */
  pid: number | undefined;
}

/** The fate of every request that was sent: sent = answered + failures, always. */
export interface Tally {
  sent: number;
  answered: number;
  failures: Failure[];
}

/** Traffic that goes on until it is stopped. */
export interface Load {
  readonly tally: Tally;
  /** Sends nothing more, as a load balancer does once it has taken a target out, and waits for what is open. */
  stop(): Promise<Tally>;
}

interface Client {
  agent: Agent | false;
  localAddress: string;
  path: string;
  pauseMs: number;
}

const NO_ANSWER_MS = 20_000;
const AFTER_FAILURE_MS = 50;
const KEPT_CLIENTS = 10;
const FRESH_CLIENTS = 4;
const SLOW_CLIENTS = 3;

/**
 * Clients that keep their connection, clients that open one per request, and clients of a slow route; each sends
 * its next request when the last one has ended. Nothing is ever sent again. To this machine only.
 */
export function startLoad(port: number): Load {
  const tally: Tally = { sent: 0, answered: 0, failures: [] };
  const pids = new WeakMap<Socket, number>();
  const state = { stopped: false };
  const work = clients().map(async ({ agent, localAddress, path, pauseMs }) => {
    while (!state.stopped) {
      tally.sent += 1;
      const failure = await send(port, { agent, localAddress, path }, pids);
      if (failure) tally.failures.push(failure);
      else tally.answered += 1;
      const pause = failure ? AFTER_FAILURE_MS : pauseMs;
      if (pause > 0) await delay(pause);
    }
    if (agent) agent.destroy();
  });
  return {
    tally,
    async stop() {
      state.stopped = true;
      await Promise.all(work);
      return tally;
    },
  };
}

/** Sends one request outside of any load, over a connection of its own. */
export function sendOne(port: number, path: string): Promise<Failure | undefined> {
  return send(port, { agent: false, localAddress: "127.0.0.1", path }, new WeakMap());
}

function clients(): Client[] {
  const kept = Array.from({ length: KEPT_CLIENTS }, () => ({ path: "/drill/fast", pauseMs: 0 }));
  const slow = Array.from({ length: SLOW_CLIENTS }, () => ({
    path: "/drill/slow?ms=300",
    pauseMs: 0,
  }));
  const lasting = [...kept, ...slow].map((client) => ({
    ...client,
    agent: new Agent({ keepAlive: true, maxSockets: 1 }),
    localAddress: "127.0.0.1",
  }));
  // An address each, so that the ports of closed connections do not run out.
  const fresh = Array.from({ length: FRESH_CLIENTS }, (_, index) => ({
    agent: false as const,
    localAddress: `127.0.0.${10 + index}`,
    path: "/drill/fast",
    pauseMs: 2,
  }));
  return [...lasting, ...fresh];
}

function send(
  port: number,
  { agent, localAddress, path }: Omit<Client, "pauseMs">,
  pids: WeakMap<Socket, number>,
): Promise<Failure | undefined> {
  return new Promise((resolve) => {
    const outgoing = request({ host: "127.0.0.1", port, path, agent, localAddress });
    let socket: Socket | undefined;
    outgoing.once("socket", (used) => (socket = used));
    const fail = (kind: Failure["kind"]): void => {
      resolve({ kind, path, pid: socket && pids.get(socket) });
      outgoing.destroy();
    };
    const timer = setTimeout(() => fail("no answer"), NO_ANSWER_MS);
    outgoing.once("close", () => clearTimeout(timer));
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      fail(error.code === "ECONNREFUSED" ? "refused" : "reset");
    });
    outgoing.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.once("error", () => fail("reset"));
      response.once("end", () => {
        if (response.statusCode !== 200) return fail(`status ${response.statusCode ?? 0}`);
        if (socket) pids.set(socket, (JSON.parse(body) as { pid: number }).pid);
        return resolve(undefined);
      });
    });
    outgoing.end();
  });
}

/** The failures that the death of `victims` does not explain: whoever was in flight in one of them was lost. */
export function innocents(tally: Tally, victims: ReadonlySet<number>): Failure[] {
  return tally.failures.filter(
    ({ kind, pid }) => kind !== "reset" || (pid !== undefined && !victims.has(pid)),
  );
}
