import type { Example, PackageManager } from "../catalog/manifest.ts";
import { UserError } from "../errors.ts";
import type { CommandRunner, HttpAnswer, Network, RunningCommand } from "../ports.ts";
import { endingOf, lastLines, withoutRunner } from "./install.ts";

export interface Verification {
  checks: { name: string; milliseconds: number }[];
}

/** What verifying needs of the outside. */
export interface VerifyTools {
  commands: CommandRunner;
  network: Network;
  env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds of some steady clock. */
  now: () => number;
  onCheck: (name: string, milliseconds: number) => void;
  signal: AbortSignal;
}

type Probe = Pick<Example, "method" | "port" | "path" | "body" | "type">;

const READY = "/health/ready";

const PROBES: readonly Probe[] = [
  { method: "GET", path: "/health" },
  { method: "GET", path: READY },
  { method: "GET", port: "metrics", path: "/metrics" },
  { method: "GET", path: "/api/v1/receipts/rules" },
];

// A start or stop that takes longer is broken: stopping in time is part of the standard.
const START_LIMIT = 60_000;
const STOP_LIMIT = 120_000;
const POLL_INTERVAL = 50;

/** Builds the service, boots it on free ports, asks its routes and those of its integrations, and stops it. */
export async function verify(
  tools: VerifyTools,
  packageManager: PackageManager,
  cwd: string,
  examples: readonly Example[] = [],
): Promise<Verification> {
  const checks: Verification["checks"] = [];
  const check = async <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
    tools.signal.throwIfAborted();
    const start = tools.now();
    const result = await work();
    const milliseconds = Math.round(tools.now() - start);
    checks.push({ name, milliseconds });
    tools.onCheck(name, milliseconds);
    return result;
  };
  await check("build", () => build(tools, packageManager, cwd));
  const [api = 0, metrics = 0] = await tools.network.freePorts(2);
  const service = boot(tools, cwd, { api, metrics });
  try {
    const missing = await check("boot", () => untilUp(tools, service, api));
    const urlOf = ({ port, path }: Probe) =>
      `http://127.0.0.1:${port === "metrics" ? metrics : api}${path}`;
    for (const probe of PROBES) {
      const unready = probe.path === READY && missing.length > 0;
      const remark = unready ? ` (503 without ${missing.join(", ")})` : "";
      await check(`${probe.method} ${probe.path}${remark}`, () =>
        ask(tools, service, probe, urlOf(probe), unready ? 503 : 200),
      );
    }
    for (const example of missing.length > 0 ? [] : examples) {
      await check(`${example.method} ${example.path}${remarkOn(example)}`, () =>
        exercise(tools, service, example, urlOf(example)),
      );
    }
    await check("stop on SIGTERM", () => stop(tools, service));
    return { checks };
  } finally {
    service.stop("SIGKILL");
  }
}

async function build(tools: VerifyTools, packageManager: PackageManager, cwd: string) {
  const [program = "", ...args] = packageManager.run.split(" ");
  const result = await tools.commands.run(program, [...args, "build"], {
    cwd,
    env: withoutRunner(tools.env),
    signal: tools.signal,
  });
  tools.signal.throwIfAborted();
  if (result.exitCode !== 0) {
    throw failure(`the build failed (${endingOf(result.exitCode)})`, result.output);
  }
}

interface Service extends RunningCommand {
  log: string[];
}

function boot(tools: VerifyTools, cwd: string, ports: { api: number; metrics: number }): Service {
  const log: string[] = [];
  // Not through the package manager: it would stand between us and the signal.
  const running = tools.commands.start("node", ["dist/main.js"], {
    cwd,
    env: {
      ...withoutRunner(tools.env),
      ENVIRONMENT: "dev",
      IN_MEMORY: "all",
      PORT: String(ports.api),
      METRICS_PORT: String(ports.metrics),
    },
    signal: tools.signal,
    onLine: (line) => log.push(line),
  });
  return { ...running, log };
}

/**
 * Waits until the service is ready, or says that it is not because of what it depends on: here and now there is no
 * Kafka, and that a service starts without is part of the standard.
 * @returns the dependencies that are missing.
 */
async function untilUp(tools: VerifyTools, service: Service, port: number): Promise<string[]> {
  const limit = tools.now() + START_LIMIT;
  let ended: number | undefined | "no" = "no";
  void service.ended.then((result) => (ended = result.exitCode));
  while (tools.now() < limit) {
    tools.signal.throwIfAborted();
    if (ended !== "no") {
      throw failure(`the service did not start (${endingOf(ended)})`, service.log.join("\n"));
    }
    const answer = await tools.network.request("GET", `http://127.0.0.1:${port}${READY}`);
    const missing = answer?.status === 503 ? unhealthyIn(answer.body) : [];
    if (answer?.status === 200 || missing.length > 0) {
      return missing;
    }
    await tools.network.wait(POLL_INTERVAL, tools.signal);
  }
  throw failure("the service was not ready after a minute", service.log.join("\n"));
}

/** The names that a readiness answer calls unhealthy. */
function unhealthyIn(body: string): string[] {
  try {
    const { checks } = JSON.parse(body) as { checks?: Record<string, unknown> };
    return Object.entries(checks ?? {}).flatMap(([name, state]) =>
      state === "unhealthy" ? [name] : [],
    );
  } catch {
    return [];
  }
}

async function ask(
  tools: VerifyTools,
  service: Service,
  probe: Probe,
  url: string,
  status: number,
): Promise<HttpAnswer> {
  const answer = await tools.network.request(probe.method, url, bodyOf(probe));
  if (answer?.status === status) {
    return answer;
  }
  const got = answer ? `answered ${answer.status}: ${answer.body}` : "gave no answer";
  throw failure(`${probe.method} ${probe.path} ${got}`, service.log.join("\n"));
}

function bodyOf({ body, type = "application/json" }: Probe) {
  if (body === undefined) {
    return undefined;
  }
  return { type, text: typeof body === "string" ? body : JSON.stringify(body) };
}

function remarkOn({ holds, url }: Example): string {
  if (url !== undefined) {
    return `, and the ${url} in its answer`;
  }
  return holds === undefined ? "" : ` holds ${holds}`;
}

/** Asks until the answer holds what it comes to hold, and gets the URL that is in it. */
async function exercise(
  tools: VerifyTools,
  service: Service,
  example: Example,
  url: string,
): Promise<void> {
  const { path, status = 200, holds = "", url: field } = example;
  const limit = tools.now() + START_LIMIT;
  let answer = await ask(tools, service, example, url, status);
  while (!answer.body.includes(holds)) {
    tools.signal.throwIfAborted();
    if (tools.now() > limit) {
      throw failure(`${path} never holds ${holds}`, service.log.join("\n"));
    }
    await tools.network.wait(POLL_INTERVAL, tools.signal);
    answer = await ask(tools, service, example, url, status);
  }
  if (field !== undefined) {
    const target = String((JSON.parse(answer.body) as Record<string, unknown>)[field]);
    await ask(tools, service, { method: "GET", path: target }, target, 200);
  }
}

async function stop(tools: VerifyTools, service: Service): Promise<void> {
  service.stop("SIGTERM");
  const stopped = new AbortController();
  const late = tools.network.wait(STOP_LIMIT, stopped.signal).then(() => "late" as const);
  const result = await Promise.race([service.ended, late]);
  stopped.abort();
  if (result === "late") {
    throw failure("the service did not stop in time", service.log.join("\n"));
  }
  if (result.exitCode !== 0) {
    throw failure(`the service stopped with ${endingOf(result.exitCode)}`, result.output);
  }
}

function failure(what: string, log: string): UserError {
  return new UserError("VERIFY_FAILED", `${what}\n${lastLines(log)}`.trimEnd());
}
