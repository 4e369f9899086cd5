import { dirname, resolve } from "node:path";

import { namesIn } from "../answers/text.ts";
import { messageOf, UserError } from "../errors.ts";
import type { Result } from "../verify/check.ts";
import { accepts, type JsonRoute, jsonRoutesOf } from "../verify/json-route.ts";
import { junitOf } from "../verify/junit.ts";
import { Launcher } from "../verify/launch.ts";
import { areas, chooseChecks, runContract } from "../verify/run-contract.ts";
import { bySentence } from "../verify/sentences.ts";
import type { Target } from "../verify/target.ts";
import { watch } from "../verify/wire/exchange.ts";
import { send } from "../verify/wire/send.ts";
import type { ServiceCommand, ServiceOptions } from "./command.ts";
import type { Host } from "./host.ts";
import type { Report } from "./report.ts";
import { VerifyReport } from "./verify-report.ts";

const SERVICE_FAILED = 1;
const START_MS = 15_000;
const PAUSE_MS = 200;

/** Checks a running service against the standard, sentence by sentence. */
export const verify: ServiceCommand = async (host, report, options) => {
  const checks = chosen(options);
  const launcher = options.process === undefined ? undefined : launcherOf(host, options.process);
  const strict = options.strict === true;
  if (options.junit !== undefined) {
    // Nobody waits for results that cannot be written, or takes older ones for them.
    await writeText(host, options.junit, "");
  }
  try {
    const find = (): Promise<Target> => targetOf(host, report, options, launcher);
    const target = await watch({ sent: "", came: "" }, host.signal, find);
    const results = await report.progress(`Checking ${target.url}`, (say) =>
      runContract(target, checks, {
        signal: host.signal,
        onCheck: ({ id }, index) => say(`${index + 1} of ${checks.length}, ${id}`),
      }),
    );
    const sentences = bySentence(results, strict);
    // First, so that nothing is lost when the file cannot be written.
    new VerifyReport(report, strict).show(target, sentences);
    if (options.junit !== undefined) {
      await writeText(host, options.junit, junitOf(sentences, strict));
    }
    return exitCodeOf(sentences);
  } finally {
    await launcher?.stop();
  }
};

function exitCodeOf(sentences: readonly { outcome: Result["outcome"] }[]): number {
  if (sentences.some(({ outcome }) => outcome === "failed")) {
    return SERVICE_FAILED;
  }
  if (sentences.every(({ outcome }) => outcome === "not checked")) {
    throw new UserError("USAGE", "nothing could be checked", "see why above, and --help");
  }
  return 0;
}

function chosen({ only = [], skip = [] }: ServiceOptions) {
  const { checks, unknown } = chooseChecks(namesIn(only), namesIn(skip));
  const hint = `they begin with ${areas().join(", ")}`;
  if (unknown.length > 0) {
    throw new UserError("USAGE", `no check begins with ${unknown.join(", ")}`, hint);
  }
  if (checks.length === 0) {
    throw new UserError("USAGE", "--only and --skip leave no check", hint);
  }
  return checks;
}

function launcherOf({ cwd, env }: Host, command: string): Launcher {
  // Signals are for the service, not for a shell before it.
  const args = ["-c", `exec ${command}`];
  const launcher = new Launcher({ program: "sh", args, folder: cwd, environment: env });
  // The second Ctrl-C waits for nothing.
  process.once("exit", () => launcher.kill());
  return launcher;
}

async function targetOf(
  host: Host,
  report: Report,
  options: ServiceOptions,
  launcher: Launcher | undefined,
): Promise<Target> {
  const own = await addressOf(host, options, launcher);
  const jsonRoute = await jsonRouteOf(host, report, options, own.url);
  const launch = launcher?.launch;
  return { ...own, ...(jsonRoute && { jsonRoute }), ...(launch && { launch }) };
}

type Address = Pick<Target, "url" | "metricsUrl" | "output" | "destructive">;

async function addressOf(
  host: Host,
  { names: [typed], metricsUrl, destructive = false }: ServiceOptions,
  launcher: Launcher | undefined,
): Promise<Address> {
  if (typed !== undefined) {
    const url = originOf(typed);
    await reach(host, url);
    const metrics =
      metricsUrl === undefined ? {} : { metricsUrl: originOf(metricsUrl, "/metrics") };
    return { url, destructive, ...metrics };
  }
  if (!launcher) {
    const hint = "create-fetch-service verify http://127.0.0.1:8000, or --process <command>";
    throw new UserError("USAGE", "the service is not named", hint);
  }
  try {
    const { url, metricsUrl: ownMetrics, output } = await launcher.launch({});
    return { url, metricsUrl: ownMetrics, output, destructive: true };
  } catch (error) {
    throw new UserError(
      "UNREACHABLE",
      messageOf(error),
      "PORT and METRICS_PORT say where to listen",
    );
  }
}

/** Takes no address with a path, for it would be left out: the standard has its routes at the root. */
function originOf(typed: string, path = "/"): string {
  const url = URL.parse(typed);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UserError("USAGE", `not an address: ${typed}`, "such as http://127.0.0.1:8000");
  }
  const { pathname, search, hash, username } = url;
  if (!["/", path].includes(pathname) || `${search}${hash}${username}` !== "") {
    const hint = `the routes of the standard are at the root: ${url.origin}`;
    throw new UserError("USAGE", `not the address of a service: ${typed}`, hint);
  }
  return url.origin;
}

/** Waits for a service that may have been started a moment ago. */
async function reach({ now, processes, signal }: Host, url: string): Promise<void> {
  const end = now() + START_MS;
  // Also for one that takes the request and says nothing.
  const patience = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
  for (;;) {
    signal.throwIfAborted();
    try {
      await watch({ sent: "", came: "" }, patience, () => send(url, "/health"));
      return;
    } catch (error) {
      if (now() > end) {
        throw new UserError("UNREACHABLE", `${url} does not answer: ${messageOf(error)}`);
      }
    }
    await processes.pause(PAUSE_MS);
  }
}

/** The route that bodies are tried on: the one that is named, or the first that takes what its description says. */
async function jsonRouteOf(
  host: Host,
  report: Report,
  options: ServiceOptions,
  url: string,
): Promise<JsonRoute | undefined> {
  const { route: path, body } = options;
  if (path !== undefined && body !== undefined) {
    return { path, valid: parse(await readText(host, body), body) };
  }
  const described = jsonRoutesOf(await documentOf(host, options, url));
  const tried = described.filter((route) => path === undefined || route.path === path);
  for (const route of tried) {
    if (await accepts(url, route)) {
      return route;
    }
    report.line(`- POST ${route.path} refuses the body that was made from the OpenAPI document`);
  }
  report.line("- no POST route for JSON is known: name one with --route and --body");
  return undefined;
}

async function documentOf(host: Host, { openapi }: ServiceOptions, url: string): Promise<unknown> {
  if (openapi !== undefined && !/^https?:/.test(openapi)) {
    return parse(await readText(host, openapi), openapi);
  }
  const { origin, pathname } = new URL(openapi ?? `${url}/openapi.json`);
  const response = await send(origin, pathname).catch(() => undefined);
  // What is wrong with the service's own document is for the checks to say.
  if (openapi === undefined) {
    return response?.status === 200 ? parsed(response.text) : undefined;
  }
  if (response?.status !== 200) {
    throw new UserError("USAGE", `there is no OpenAPI document at ${openapi}`);
  }
  return parse(response.text, openapi);
}

function parse(text: string, name: string): object {
  const value = parsed(text);
  if (!value) {
    throw new UserError("USAGE", `${name} is not JSON`);
  }
  return value;
}

function parsed(text: string): object | undefined {
  try {
    return Object(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function readText({ fs, cwd }: Host, path: string): Promise<string> {
  const file = resolve(cwd, path);
  if ((await fs.kindOf(file)) !== "file") {
    throw new UserError("USAGE", `there is no file ${path}`);
  }
  return Buffer.from(await fs.readFile(file)).toString("utf8");
}

async function writeText({ fs, cwd }: Host, path: string, text: string): Promise<void> {
  const file = resolve(cwd, path);
  try {
    if ((await fs.kindOf(file)) === "other") {
      // A pipe that nobody reads would be waited for.
      throw new Error("it is not a file");
    }
    await fs.makeFolder(dirname(file));
    await fs.writeFile(file, Buffer.from(text), 0o644);
  } catch (error) {
    throw new UserError("USAGE", `${path} cannot be written: ${messageOf(error)}`);
  }
}
