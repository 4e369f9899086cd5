import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

const USER_CACHE = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");

/** Where servers are kept from run to run; the variable STACK_CACHE moves it. */
export const CACHE = process.env["STACK_CACHE"] ?? join(USER_CACHE, "create-fetch-service/stack");

const RETRY_MS = 250;

/**
 * A folder that is made once per name, and then kept. Whoever comes while it is being made waits, in other
 * processes too; what was left half made is never taken.
 * @param name with the version of what is in it.
 * @param make fills the folder that it is given, which gets its name when all went well.
 */
export async function cached(
  name: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return folder;
  await mkdir(CACHE, { recursive: true });
  using _lock = await lock(join(CACHE, `${name}.lock`));
  if (existsSync(folder)) return folder;
  const part = await mkdtemp(join(CACHE, `${name}.part-`));
  try {
    await make(part);
    await rename(part, folder);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  return folder;
}

/** What tells apart the versions of files, for the name of what is made from them. */
export async function fingerprint(folder: string, files: string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) hash.update(await readFile(join(folder, file)));
  return hash.digest("hex").slice(0, 12);
}

/** Held until disposed of, or until the process ends in whatever way: the kernel sees to that. */
async function lock(path: string): Promise<Disposable> {
  for (;;) {
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      database.exec("BEGIN EXCLUSIVE");
      return { [Symbol.dispose]: () => database.close() };
    } catch {
      database.close();
      await delay(RETRY_MS);
    }
  }
}
