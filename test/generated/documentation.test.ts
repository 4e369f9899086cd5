import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createService, runScript } from "../support/generated.ts";
import { type RunningService, startBuilt } from "../support/running-service.ts";
import { installTool } from "../support/tools.ts";

/** Where Debian and others put it; CHROMIUM says otherwise. */
const BROWSERS = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/google-chrome"];
// Without these it calls home, which no test of a page should.
const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--no-sandbox",
];

/** A route of a team's that asks who calls. */
const CALLER_ROUTE = `import { z } from "zod";
import { dependency } from "../platform/depends.ts";
import { defineRoute } from "../platform/route.ts";

const caller = dependency({
  security: { name: "bearer", scheme: { type: "http", scheme: "bearer" } },
  open: ({ headers }) => headers.authorization ?? "nobody",
});

export const showCaller = defineRoute({
  method: "GET",
  path: "/api/v1/caller",
  summary: "Show who calls",
  tags: ["caller"],
  depends: { caller },
  responses: { 200: z.object({ caller: z.string() }) },
  handler: ({ depends }) => depends,
});
`;

async function addCallerRoute(directory: string): Promise<void> {
  await writeFile(join(directory, "src/routes/caller.ts"), CALLER_ROUTE);
  const app = join(directory, "src/app.ts");
  const code = await readFile(app, "utf8");
  await writeFile(
    app,
    `import { showCaller } from "./routes/caller.ts";\n${code.replace("[scoreReceipt,", "[showCaller, scoreReceipt,")}`,
  );
}

describe("the documentation of a new service", () => {
  let directory: string;
  let service: RunningService;
  let browser: Browser;

  beforeAll(async () => {
    const executablePath = BROWSERS.find((path) => path && existsSync(path));
    if (executablePath === undefined) {
      throw new Error("no Chromium found: install one, or name it in CHROMIUM");
    }
    directory = await createService("documented-service", []);
    await addCallerRoute(directory);
    await runScript(directory, "build");
    service = await startBuilt(directory);
    browser = await chromium.launch({ executablePath, args: QUIET });
  });

  // No test may fail because the machine is slow.
  const newPage = async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(300_000);
    return page;
  };

  afterAll(async () => {
    await browser?.close();
    await service?.stop();
  });

  it.each(["/docs", "/redoc"])(
    "%s shows every route, and loads nothing from elsewhere",
    async (path) => {
      const page = await newPage();
      const foreign: string[] = [];
      const errors: string[] = [];
      page.on("request", (request) => {
        const url = request.url();
        if (!url.replace(/^blob:/, "").startsWith(service.api)) foreign.push(url);
      });
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.goto(`${service.api}${path}`);
      // Redoc has them in a menu that is still closed.
      for (const summary of ["Count the points of a receipt", "List the rules by which"]) {
        await page.getByText(summary).first().waitFor({ state: "attached" });
      }
      expect({ foreign, errors }).toEqual({ foreign: [], errors: [] });
    },
  );

  it("/docs tries a route out", async () => {
    const page = await newPage();
    await page.goto(`${service.api}/docs`);
    await page.getByText("List the rules by which receipts earn points").click();
    await page.getByRole("button", { name: "Try it out" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await page.getByText("retailer_name").first().waitFor();
  });

  it("/docs sends what was entered under Authorize, also after a reload", async () => {
    const page = await newPage();
    await page.goto(`${service.api}/docs`);
    await page.getByRole("button", { name: "Authorize" }).first().click();
    await page.getByLabel("auth-bearer-value").fill("a-token");
    await page.locator(".auth-btn-wrapper .authorize").click();
    await page.locator(".btn-done").click();
    await page.getByText("Show who calls").click();
    await page.waitForURL(/#.*caller/);
    await page.reload();
    // The address keeps the operation open.
    await page.getByRole("button", { name: "Try it out" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await page.getByText("Bearer a-token").first().waitFor();
  });

  it("npm run openapi writes what is served", async () => {
    await runScript(directory, "openapi");
    const written: unknown = JSON.parse(await readFile(join(directory, "openapi.json"), "utf8"));
    const served = await fetch(`${service.api}/openapi.json`);
    expect(written).toEqual(await served.json());
  });

  it("openapi.json passes redocly's recommended rules without a warning", async () => {
    const redocly = await installTool("@redocly/cli", "2.77.0", "redocly");
    const { stdout, stderr } = await promisify(execFile)(
      redocly,
      ["lint", `${service.api}/openapi.json`],
      { env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" } },
    );
    expect(`${stdout}${stderr}`).toContain("Your API description is valid");
    expect(`${stdout}${stderr}`).not.toMatch(/warning/i);
  });
});
