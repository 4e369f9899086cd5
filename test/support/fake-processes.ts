import type { Processes } from "../../src/ports.ts";

/** Process 100 on the machine "desk", where only the given others run. */
export class FakeProcesses implements Processes {
  readonly pid: number;
  readonly machine = "desk";
  readonly running: number[];
  pauses = 0;
  onPause: () => Promise<void> = () => Promise.resolve();

  constructor({ pid = 100, running = [] }: { pid?: number; running?: number[] } = {}) {
    this.pid = pid;
    this.running = running;
  }

  isRunning(pid: number): boolean {
    return this.running.includes(pid);
  }

  async pause(): Promise<void> {
    this.pauses += 1;
    await this.onPause();
  }
}
