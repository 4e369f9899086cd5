import { execa } from "execa";

import { debianEngine } from "./debian-engine.ts";

/** What builds images and runs containers. */
export interface Engine {
  build: (context: string, tag: string) => Promise<void>;
  /** Arguments of `docker run` that this engine needs. */
  runFlags: readonly string[];
  /** Runs a command of docker, such as `inspect`, and gives what it prints. */
  command: (...args: string[]) => Promise<string>;
}

/** Docker where it answers; else Debian's buildah and podman, which need no daemon and no image registry. */
export async function openEngine(): Promise<Engine> {
  const { failed } = await execa("docker", ["version"], { reject: false });
  return failed ? debianEngine() : dockerEngine;
}

const dockerEngine: Engine = {
  build: async (context, tag) => {
    await execa("docker", ["build", "--tag", tag, context]);
  },
  runFlags: [],
  command: async (...args) => (await execa("docker", args)).stdout,
};
