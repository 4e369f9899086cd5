import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";

import { systemCode } from "../errors.ts";
import type { Processes } from "../ports.ts";

/** The processes of this machine. */
export const processes: Processes = {
  pid: process.pid,
  machine: hostname(),
  isRunning: (pid) => {
    try {
      return process.kill(pid, 0);
    } catch (error) {
      // It runs, and is somebody else's.
      return systemCode(error) === "EPERM";
    }
  },
  pause: (milliseconds) => setTimeout(milliseconds),
};
