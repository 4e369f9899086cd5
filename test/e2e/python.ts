import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

const HERE = join(import.meta.dirname, "python");

/** A Python with the clients that Python teams use. It is kept for the next run with the same packages. */
export async function installPython(
  requirements = join(HERE, "requirements.txt"),
): Promise<string> {
  const packages = await readFile(requirements);
  const key = createHash("sha256").update(packages).digest("hex").slice(0, 12);
  const folder = join(tmpdir(), `create-fetch-service-python-${key}`);
  const python = join(folder, "bin/python");
  if (existsSync(join(folder, "complete"))) return python;
  await rm(folder, { recursive: true, force: true });
  await execa("python3", ["-m", "venv", folder]);
  await execa(python, ["-m", "pip", "install", "--quiet", "-r", requirements]);
  await writeFile(join(folder, "complete"), "");
  return python;
}

/** Runs a script of test/e2e/python to its end. */
export async function runPython(script: string, ...args: string[]): Promise<void> {
  await execa(await installPython(), [join(HERE, script), ...args]);
}

/** A member of a consumer group in another client. */
export interface ForeignMember extends AsyncDisposable {
  /** The keys of the records that it has read. */
  keys: () => string[];
  /** Whether it has got partitions. */
  hasJoined: () => boolean;
  /** How it ended, if it has. */
  failure: () => string | undefined;
}

export interface MemberOptions {
  client: "aiokafka" | "confluent";
  brokers: string;
  group: string;
  topic: string;
  /** For confluent: range, roundrobin or cooperative-sticky. */
  strategy?: string;
}

export async function startMember(options: MemberOptions): Promise<ForeignMember> {
  const { client, brokers, group, topic, strategy } = options;
  const args = [client, brokers, group, topic, ...(strategy === undefined ? [] : [strategy])];
  const child = execa(await installPython(), [join(HERE, "member.py"), ...args], { reject: false });
  let output = "";
  let failure: string | undefined;
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = child.then(({ stderr, shortMessage }) => (failure = stderr || shortMessage));
  const lines = (): string[] => output.split("\n").slice(0, -1);
  return {
    keys: () => lines().filter((line) => line !== "joined"),
    hasJoined: () => lines().includes("joined"),
    failure: () => failure,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
