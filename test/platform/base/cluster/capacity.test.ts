import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { measureCapacity } from "../../src/platform/cluster/host.ts";

/** A task metadata endpoint that answers `/task` with `body`, or never. */
async function ecs(body: object | "silent"): Promise<NodeJS.ProcessEnv> {
  const server = createServer((req, res) => {
    if (body !== "silent")
      res.writeHead(req.url === "/v4/x/task" ? 200 : 404).end(JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  onTestFinished(() => server.close().closeAllConnections());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${port}/v4/x` };
}

it("takes the limits of the ECS task, in vCPU and MiB", async () => {
  const env = await ecs({ Limits: { CPU: 0.5, Memory: 1024 } });
  expect(await measureCapacity(env)).toEqual({ cpus: 0.5, memory: 1024 });
});

it.each([["silent" as const], [{}], [{ Limits: {} }]])(
  "falls back to this machine when the endpoint says %j",
  async (answer) => {
    const measured = await measureCapacity(await ecs(answer));
    expect(measured).toEqual(await measureCapacity({}));
    expect(measured.cpus).toBeGreaterThan(0);
  },
);

const v1 = (quota: number) => ({
  "cpu/cpu.cfs_quota_us": `${quota}\n`,
  "cpu/cpu.cfs_period_us": "100000\n",
});

it.each([
  ["version 2", { "cpu.max": "50000 100000\n" }, 0.5],
  ["version 2 without a limit", { "cpu.max": "max 100000\n" }, availableParallelism()],
  ["version 1", v1(25_000), 0.25],
  ["version 1 without a limit", v1(-1), availableParallelism()],
  ["no version", {}, availableParallelism()],
])("reads the quota of a cgroup of %s", async (_, files, cpus) => {
  const cgroup = mkdtempSync(join(tmpdir(), "cgroup-"));
  onTestFinished(() => rmSync(cgroup, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(cgroup, path)), { recursive: true });
    writeFileSync(join(cgroup, path), content);
  }
  expect((await measureCapacity({}, cgroup)).cpus).toBe(cpus);
});
