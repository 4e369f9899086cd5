// `npm run dev`: runs the service for a person, and again after every change of src/ and .env.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, watch } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs, parseEnv, styleText } from "node:util";

/** Editors write a file in several steps, and formatters several files. */
const SETTLE_MS = 100;
const PATIENCE_MS = 3_000;
const PARENT_CHECK_MS = 500;

type Style = Parameters<typeof styleText>[0];

const LEVELS: Record<string, Style> = {
  trace: "dim",
  debug: "dim",
  info: "green",
  warn: "yellow",
  error: "red",
  fatal: ["red", "bold"],
};
// What the banner and the frames say instead.
const SILENT =
  /^(starting|service ready|in memory until.*|worker (spawned|ready|exited)|signal received|stopp(ing|ed)|a worker failed to start.*|partitions of \S+ assigned)$/;
const NO_FIELDS =
  /^(level|timestamp|message|service_name|environment|version|error|(correlation|trace|span)_id|worker_pid)$/;
const UNHEALTHY = /^dependency (\S+) is unhealthy$/;
const INSPECTOR = /^(Debugger (listening|attached|ending)|For help, see: https:\/\/nodejs)/;

const inspect = readInspect();
const over = new AbortController();
let changed = Promise.withResolvers<void>();
let isFirst = true;

watchFiles();
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, end);
// A shell between npm and this process may keep the TERM that npm forwards to itself.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && end(), PARENT_CHECK_MS);

while (!over.signal.aborted) {
  changed = Promise.withResolvers();
  const service = startService();
  await changed.promise;
  await stopService(service);
}
process.exit(0);

/** The [host:]port of `npm run dev:debug -- [[host:]port]`. */
function readInspect(): string | undefined {
  const options = { inspect: { type: "boolean" } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  return values.inspect === true ? (positionals[0] ?? "9229") : undefined;
}

function end(): void {
  over.abort();
  changed.resolve();
}

function watchFiles(): void {
  let timer: NodeJS.Timeout | undefined;
  const settle = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => changed.resolve(), SETTLE_MS);
  };
  watch("src", { recursive: true }, settle);
  watch(".", (_event, name) => void (name === ".env" && settle()));
}

/** Starts the service with all its work in one worker, which nothing kills while a debugger holds it. */
function startService(): ChildProcess {
  const format = process.env["LOG_FORMAT"] ?? envFile()["LOG_FORMAT"];
  const isReadable = format === "pretty" || (process.stdout.isTTY && format !== "json");
  const way = isReadable ? "pipe" : "inherit";
  const service = fork("src/main.ts", {
    env: {
      TIMEOUT: "0",
      BOOT_TIMEOUT: "86400",
      ...process.env,
      ONE_PROCESS: "true",
      ...(inspect !== undefined && { INSPECT: inspect }),
    },
    execArgv: [],
    // Of the terminal's Ctrl-C only this process hears. When it is gone without a word, its channel is, too.
    detached: true,
    stdio: ["ignore", way, way, "ipc"],
  });
  if (!isReadable) return service;
  const run = createOutput((text) => void process.stdout.write(text));
  createInterface(service.stdout!).on("line", run.log);
  createInterface(service.stderr!).on("line", run.error);
  service.once("close", run.end);
  return service;
}

function envFile(): NodeJS.Dict<string> {
  return existsSync(".env") ? parseEnv(readFileSync(".env", "utf8")) : {};
}

/** The first INT lets requests finish for a moment. One that is held at a breakpoint never does: the next ones do not. */
async function stopService(service: ChildProcess): Promise<void> {
  if (service.exitCode !== null || service.signalCode !== null) return;
  const exited = once(service, "exit");
  service.removeAllListeners("close");
  service.kill("SIGINT");
  const again = setInterval(() => service.kill("SIGINT"), PATIENCE_MS);
  await exited;
  clearInterval(again);
}

/** A parsed line of the service's log. */
interface Entry {
  [field: string]: unknown;
  level: string;
  timestamp: string;
  message: string;
  error?: LoggedError;
}

interface LoggedError {
  message?: string;
  stack?: string;
  cause?: LoggedError;
  errors?: LoggedError[];
}

/**
 * Writes what one run of the service says for a person: a banner, a line for each entry, and one frame for what keeps
 * the service from starting.
 */
function createOutput(write: (text: string) => void) {
  const began = performance.now();
  const banner: Entry[] = [];
  const errors: string[] = [];
  const missing: string[] = [];
  let isReady = false;
  let isFramed = false;

  const frame = (title: string, text: string): void => {
    if (!isFramed) write(framed(title, text));
    isFramed = true;
  };
  const becomeReady = (): void => {
    isReady = true;
    errors.splice(0).forEach((text) => write(`${text}\n`));
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    const state = missing.length === 0 ? "ready" : `not ready without ${missing.join(", ")}`;
    const style = missing.length === 0 ? "green" : "yellow";
    if (isFirst) write(bannerOf(banner, state));
    else write(styleText(style, `${state}, after ${seconds} s\n`));
    isFirst = false;
  };
  const show = (entry: Entry): void => {
    const { message, level, critical, problems, reason } = entry;
    const [, unhealthy] = UNHEALTHY.exec(message) ?? [];
    if (unhealthy !== undefined && critical === true) missing.push(unhealthy);
    if (/^the service (failed to|cannot) start/.test(message)) {
      const text = Array.isArray(problems) ? problems.join("\n") : stackOf(entry.error);
      frame("The service cannot start", text);
    } else if (message === "service ready") becomeReady();
    else if (SILENT.test(message)) banner.push(entry);
    else if (level === "error" && reason === "boot_failure") errors.push(message);
    else write(`${readable(entry)}\n`);
  };
  return {
    /** A line of its log. */
    log(line: string): void {
      const entry = parse(line);
      if (entry === undefined) write(`${line}\n`);
      else show(entry);
    },
    /** A line of its standard error. */
    error(line: string): void {
      if (INSPECTOR.test(line)) return;
      if (isReady) write(`${line}\n`);
      else errors.push(line);
    },
    end(code: number | null): void {
      if (code) frame(`The service ended with exit code ${code}`, errors.join("\n"));
    },
  };
}

function parse(line: string): Entry | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const entry = JSON.parse(line) as Partial<Entry>;
    return typeof entry.message === "string" ? (entry as Entry) : undefined;
  } catch {
    return undefined;
  }
}

/** One line, and what an error's stack takes. */
function readable(entry: Entry): string {
  const { level, timestamp, message, error } = entry;
  const time = styleText("dim", new Date(timestamp).toTimeString().slice(0, 8));
  const start = `${time} ${styleText(LEVELS[level] ?? "reset", level.toUpperCase().padEnd(5))}`;
  if (message === "request completed") return `${start} ${requestOf(entry)}`;
  const [, unhealthy] = UNHEALTHY.exec(message) ?? [];
  if (unhealthy !== undefined) return `${start} ${adviceOn(unhealthy, error)}`;
  const fields = Object.entries(entry)
    .filter(([name]) => !NO_FIELDS.test(name))
    .map(([name, value]) => `${styleText("dim", `${name}=`)}${valueOf(value)}`);
  const stack = error === undefined ? "" : `\n${stackOf(error)}`.replaceAll("\n", "\n    ");
  return `${[start, message, ...fields].join(" ")}${stack}`;
}

function requestOf(entry: Entry): string {
  const { method, path, status, duration_ms: ms } = entry;
  const code = Number(status);
  const style = code >= 500 ? "red" : code >= 400 ? "yellow" : "green";
  return `${String(method)} ${String(path)} ${styleText(style, String(status))} ${Math.round(Number(ms))} ms`;
}

function adviceOn(dependency: string, error: LoggedError | undefined): string {
  const reasons = [error, ...(error?.errors ?? []), error?.cause].flatMap(
    (one) => one?.message ?? [],
  );
  const file = `compose/${dependency}.yaml`;
  const advice = existsSync(file)
    ? `; start it (docker compose --file ${file} up --detach), or set IN_MEMORY=all in .env`
    : "";
  const why = [...new Set(reasons)].map((reason) => reason.replace(/\.$/, "")).join(": ");
  return `${styleText("bold", dependency)} is not there: ${why}${advice}`;
}

function valueOf(value: unknown): string {
  return typeof value === "string" && /^\S+$/.test(value) ? value : JSON.stringify(value);
}

/** The service's own part of the stack with paths that a terminal can open, and its causes. */
function stackOf(error: LoggedError | undefined): string {
  if (error === undefined) return "";
  const text = ownFrames(clickable(error.stack ?? error.message ?? JSON.stringify(error)));
  const causes = [error.cause, ...(error.errors ?? [])].filter((cause) => cause !== undefined);
  return [text, ...causes.map((cause) => `caused by: ${stackOf(cause)}`)].join("\n");
}

function ownFrames(text: string): string {
  return text.replaceAll(/\n +at .*(node:|node_modules\/).*/g, "");
}

function clickable(text: string): string {
  return text.replaceAll(`file://${process.cwd()}/`, "").replaceAll(`${process.cwd()}/`, "");
}

function framed(title: string, text: string): string {
  const plain = ownFrames(clickable(text))
    // Where Node itself was when it gave up.
    .replace(/^node:internal\/.*\n.*\n *\^\n/, "")
    .replace(/( \{\n {2}code: .*\n\})?\n+Node\.js v.*\n?/, "");
  const bar = styleText("red", "│");
  const body = plain.trim().replaceAll(/^/gm, `${bar} `);
  const first = styleText(["red", "bold"], `┌ ${title}`);
  const last = `${styleText("red", "└")} It starts again when you save a change.`;
  return `\n${first}\n${body}\n${last}\n\n`;
}

function bannerOf(entries: readonly Entry[], state: string): string {
  const [started, inMemory] = ["starting", "in memory until the restart"].map((message) =>
    entries.find((entry) => entry.message === message),
  );
  const api = `http://localhost:${String(started?.["port"])}`;
  const names = inMemory?.["integrations"];
  const rows = [
    ["API", api],
    ["Docs", `${api}/docs`],
    ["Metrics", `http://localhost:${String(started?.["metrics_port"])}/metrics`],
    ...(Array.isArray(names) ? [["In memory", `${names.join(", ")} (IN_MEMORY in .env)`]] : []),
    ...(inspect === undefined ? [] : [["Debugger", inspect]]),
  ];
  const title = styleText("bold", `${String(started?.["service_name"])} is ${state}`);
  const lines = rows.map(
    ([name = "", text = ""]) => `  ${styleText("dim", name.padEnd(11))}${text}`,
  );
  return `\n  ${title}\n\n${lines.join("\n")}\n\n`;
}
