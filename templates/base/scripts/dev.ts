// `npm run dev`: runs the service for a person, and again after every change of src/ and .env.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, watch } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs, parseEnv } from "node:util";
import { createOutput } from "./dev-output.ts";

/** Editors write a file in several steps, and formatters several files. */
const SETTLE_MS = 100;
const PATIENCE_MS = 3_000;
const PARENT_CHECK_MS = 500;

const inspect = readInspect();
const over = new AbortController();
let changed = Promise.withResolvers<void>();

watchFiles();
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, end);
// A shell between npm and this process may keep the TERM that npm forwards to itself.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && end(), PARENT_CHECK_MS);

while (!over.signal.aborted) {
  changed = Promise.withResolvers();
  const service = start();
  await changed.promise;
  await stop(service);
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
function start(): ChildProcess {
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
  const run = createOutput((text) => void process.stdout.write(text), inspect);
  createInterface(service.stdout!).on("line", run.log);
  createInterface(service.stderr!).on("line", run.error);
  service.once("close", run.end);
  return service;
}

function envFile(): NodeJS.Dict<string> {
  return existsSync(".env") ? parseEnv(readFileSync(".env", "utf8")) : {};
}

/** The first INT lets requests finish for a moment. One that is held at a breakpoint never does: the next ones do not. */
async function stop(service: ChildProcess): Promise<void> {
  if (service.exitCode !== null || service.signalCode !== null) return;
  const exited = once(service, "exit");
  service.removeAllListeners("close");
  service.kill("SIGINT");
  const again = setInterval(() => service.kill("SIGINT"), PATIENCE_MS);
  await exited;
  clearInterval(again);
}
