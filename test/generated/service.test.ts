import { readdir, readFile, writeFile } from "node:fs/promises";
import { SourceMap, type SourceMapPayload } from "node:module";
import { join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";

import { TARGET } from "../contract/receipts.ts";
import { createService, runScript } from "../support/generated.ts";
import { type RunningService, startBuilt } from "../support/running-service.ts";
import { templates } from "../support/templates.ts";

/** The files in which V8 keeps what it compiled, after one more start. */
async function compiledByStart(directory: string): Promise<string[]> {
  await (await startBuilt(directory)).stop();
  return await readdir(join(directory, "dist/.cache"), { recursive: true });
}

/** Which file a text in the build comes from, as Node says it in a stack; undefined when no map tells. */
async function sourceOf(directory: string, text: string): Promise<string | undefined> {
  const dist = join(directory, "dist");
  for (const file of (await readdir(dist)).filter((name) => name.endsWith(".js"))) {
    const lines = (await readFile(join(dist, file), "utf8")).split("\n");
    const line = lines.findIndex((code) => code.includes(text));
    if (line === -1) continue;
    const map = await readFile(join(dist, `${file}.map`), "utf8");
    const place = new SourceMap(JSON.parse(map) as SourceMapPayload).findEntry(
      line,
      lines[line]!.indexOf(text),
    );
    return "originalSource" in place ? place.originalSource : undefined;
  }
  throw new Error(`the build has no ${text}`);
}

/** What fsd.yml sets in the environment, less what only the platform can fill in. */
async function deployedEnvironment(directory: string): Promise<Record<string, string>> {
  const { environment } = parse(await readFile(join(directory, "fsd.yml"), "utf8"));
  const entries = Object.entries(environment as Record<string, string>);
  return Object.fromEntries(entries.filter(([, value]) => !value.includes("${")));
}

describe.each(templates.manifest.frameworks)("a new service on $title", ({ name }) => {
  let directory: string;

  beforeAll(async () => {
    directory = await createService(`${name}-service`, ["--framework", name]);
  });

  it.each(["typecheck", "lint", "format:check", "build", "test"])(
    "passes npm run %s",
    async (script) => {
      const output = await runScript(directory, script);
      expect(output.replace("Found 0 warnings", "")).not.toMatch(/warn/i);
    },
  );

  it.each(["dev", "build", "test"])(
    "says in one line what it needs when an older Node runs npm run %s",
    async (script) => {
      const old = join(directory, "dist/old-node.cjs");
      await writeFile(old, 'delete require("node:net").BoundSocket;\n');
      const { exitCode, stdout, stderr } = await execa("npm", ["run", "--silent", script], {
        cwd: directory,
        env: { NODE_OPTIONS: `--require ${old}` },
        reject: false,
      });
      expect(exitCode).not.toBe(0);
      expect(stdout).toBe("");
      expect(stderr).toMatch(/^error: this service needs Node\.js 26\.4 or newer.*\.$/);
    },
  );

  it("keeps what was compiled for the next start, which adds nothing", async () => {
    const first = await compiledByStart(directory);
    expect(first.length).toBeGreaterThan(5);
    expect(await compiledByStart(directory)).toEqual(first);
  });

  it("maps the service's own code, and no package's", async () => {
    expect(await sourceOf(directory, "the response breaks its declared schema")).toBe(
      "../src/platform/http/schemas.ts",
    );
    // Both come after code of the service's own in their files.
    expect(await sourceOf(directory, "$ZodError")).toBeUndefined();
    expect(await sourceOf(directory, "toJSONSchema")).toBeUndefined();
  });

  describe("built and booted", () => {
    let service: RunningService;

    beforeAll(async () => {
      const env = await deployedEnvironment(directory);
      // As deployed: what the budget of a stop is checked with.
      service = await startBuilt(directory, { ...env, DEREGISTRATION_DELAY: "5" });
    });

    afterAll(() => service?.stop());

    it.each([
      ["api", "GET", "/health", 200, { status: "healthy", version: "0.1.0" }],
      ["api", "GET", "/health/ready", 200, { status: "ready", checks: {} }],
      [
        "api",
        "GET",
        "/health/version",
        200,
        { service: `${name}-service`, version: "0.1.0", environment: "dev" },
      ],
      ["api", "GET", "/openapi.json", 200, { openapi: expect.stringMatching(/^3\.1\./) }],
      ["api", "GET", "/api/v1/receipts/rules", 200, expect.anything()],
      ["api", "POST", "/api/v1/receipts/points", 200, { points: 28 }],
      ["api", "GET", "/nowhere", 404, { error: { code: "NOT_FOUND" } }],
      ["api", "POST", "/health", 405, { error: { code: "METHOD_NOT_ALLOWED" } }],
      ["metrics", "GET", "/health", 200, { status: "healthy" }],
      ["metrics", "GET", "/health/ready", 200, { status: "ready" }],
    ] as const)("answers on the %s port: %s %s", async (port, method, path, status, body) => {
      const response = await fetch(`${service[port]}${path}`, {
        method,
        ...(method === "POST" && {
          headers: { "content-type": "application/json" },
          body: JSON.stringify(TARGET),
        }),
      });
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject(body);
    });

    it.each(["/docs", "/redoc"])(
      "serves %s as a page that loads nothing from elsewhere",
      async (path) => {
        const response = await fetch(`${service.api}${path}`);
        expect(response.status).toBe(200);
        const page = await response.text();
        expect(page).toMatch(/<html/i);
        expect(page).not.toMatch(/(?:src|href)="https?:/);
      },
    );

    it("serves its metrics as Prometheus text", async () => {
      const response = await fetch(`${service.metrics}/metrics`);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
      expect(await response.text()).toMatch(/^# TYPE \w+ /m);
    });

    it("has metrics and alerts that promtool finds nothing wrong with", async () => {
      const response = await fetch(`${service.metrics}/metrics`);
      // Debian has it in the package prometheus.
      const metrics = await execa("promtool", ["check", "metrics"], {
        input: await response.text(),
      });
      expect(metrics.stderr).toBe("");
      const alerts = join(directory, "observability/alerts.yml");
      const { stdout } = await execa("promtool", ["check", "rules", alerts]);
      expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
    });

    it("logs one JSON object a line, and stops with exit code 0", async () => {
      expect(await service.stop()).toBe(0);
      for (const line of service.log) {
        expect(JSON.parse(line)).toMatchObject({
          timestamp: expect.any(String),
          level: expect.stringMatching(/^[a-z]+$/),
          message: expect.any(String),
          service_name: `${name}-service`,
        });
      }
    });
  });
});
