import { execFileSync } from "node:child_process";
import { constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A pipe such as a container has for its standard output; what Node gives a child for one is a socket. */
export function openPipe(): { reader: Socket; writer: number } {
  const folder = mkdtempSync(join(tmpdir(), "contract-pipe-"));
  try {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    // The reader first: it waits for nobody, and a writer waits for it.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const reader = new Socket({ fd, readable: true, writable: false });
    return { reader, writer: openSync(path, "w") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Lets `reader` take what is there, a pipe's worth at the most, only now and then. */
export function slowDown(reader: Socket): void {
  const PAUSE_MS = 20;
  reader.on("data", () => {
    reader.pause();
    setTimeout(() => reader.resume(), PAUSE_MS);
  });
}
