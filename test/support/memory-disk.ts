import { basename, dirname, join } from "node:path";

import { createFsFromVolume, Volume } from "memfs";

import type { FileSystem } from "../../src/ports.ts";

interface Failure {
  /** The operation that fails, counted from 1; 0 for none. */
  at: number;
  code: string;
  /** From this one on all fail, as if the process had died. */
  diesAt?: number;
}

/** A disk in memory. `failure` makes the nth operation fail, as a full disk does. */
export class MemoryDisk implements FileSystem {
  readonly volume = new Volume();
  readonly #fs = createFsFromVolume(this.volume).promises;
  #failure: Failure;
  operations = 0;

  constructor(files: Record<string, string | null> = {}, failure: Failure = { at: 0, code: "" }) {
    this.volume.fromJSON(files, "/");
    this.#failure = failure;
  }

  /** The same disk for the next process. */
  restart(failure: Failure = { at: 0, code: "" }): void {
    this.operations = 0;
    this.#failure = failure;
  }

  /** Every path there is, folders with a slash at the end. */
  everything(): string[] {
    return this.volume
      .readdirSync("/", { recursive: true, withFileTypes: true })
      .map((entry) => {
        if (typeof entry === "string" || !("parentPath" in entry)) {
          return String(entry);
        }
        return join(entry.parentPath, String(entry.name)) + (entry.isDirectory() ? "/" : "");
      })
      .sort();
  }

  text(path: string): string {
    return String(this.volume.readFileSync(path, "utf8"));
  }

  async kindOf(path: string) {
    this.#count();
    try {
      const stats = await this.#fs.lstat(path);
      if (stats.isSymbolicLink()) {
        return "link";
      }
      return stats.isDirectory() ? "folder" : "file";
    } catch {
      return "nothing";
    }
  }

  async namesIn(folder: string): Promise<string[]> {
    this.#count();
    return (await this.#fs.readdir(folder)).map(String);
  }

  filesUnder(folder: string): Promise<string[]> {
    const paths = this.everything().filter((path) => path.startsWith(`${folder}/`));
    return Promise.resolve(
      paths.filter((path) => !path.endsWith("/")).map((path) => path.slice(folder.length + 1)),
    );
  }

  async readFile(path: string): Promise<Uint8Array> {
    this.#count();
    return Buffer.from(await this.#fs.readFile(path));
  }

  async isExecutable(path: string): Promise<boolean> {
    return (Number((await this.#fs.stat(path)).mode) & 0o111) !== 0;
  }

  async modeOf(path: string): Promise<number> {
    this.#count();
    return Number((await this.#fs.lstat(path)).mode) & 0o777;
  }

  async sizeOf(path: string): Promise<number> {
    this.#count();
    return Number((await this.#fs.lstat(path)).size);
  }

  async makeFolder(path: string): Promise<void> {
    this.#count();
    await this.#fs.mkdir(path, { recursive: true });
  }

  async makeUniqueFolder(prefix: string): Promise<string> {
    this.#count();
    return String(await this.#fs.mkdtemp(join(dirname(prefix), basename(prefix))));
  }

  async writeFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
    this.#count();
    await this.#fs.writeFile(path, bytes, { mode });
  }

  async writeDurably(path: string, bytes: Uint8Array, mode: number): Promise<void> {
    await this.writeFile(path, bytes, mode);
  }

  async setMode(path: string, mode: number): Promise<void> {
    this.#count();
    await this.#fs.chmod(path, mode);
  }

  async copyOwner(): Promise<void> {
    this.#count();
  }

  async syncFolder(): Promise<void> {
    this.#count();
  }

  async rename(from: string, to: string): Promise<void> {
    this.#count();
    await this.#fs.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    this.#count();
    await this.#fs.rm(path, { recursive: true, force: true });
  }

  async linkFolder(folder: string, path: string): Promise<void> {
    this.#count();
    await this.#fs.symlink(folder, path);
  }

  async removeEmptyFolder(folder: string): Promise<void> {
    this.#count();
    if (this.volume.existsSync(folder) && this.volume.readdirSync(folder).length === 0) {
      await this.#fs.rmdir(folder);
    }
  }

  #count(): void {
    this.operations += 1;
    const { at, diesAt = Infinity } = this.#failure;
    if (this.operations === at || this.operations >= diesAt) {
      throw Object.assign(new Error(this.#failure.code), { code: this.#failure.code });
    }
  }
}
