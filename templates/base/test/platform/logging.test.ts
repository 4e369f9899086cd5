import { expect, test } from "vitest";
import { createLogger } from "../../src/platform/logging.ts";
import { version } from "../../src/platform/package-info.ts";

const settings = { LOG_LEVEL: "info", SERVICE_NAME: "svc", ENVIRONMENT: "stage" };

function write(log: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  log(createLogger(settings, { write: (line) => void lines.push(JSON.parse(line)) }));
  return lines;
}

test("a line has the fields of the standard", () => {
  const [line] = write((log) => log.warn({ attempt: 2 }, "trying again"));
  expect(line).toEqual({
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    level: "warn",
    message: "trying again",
    service_name: "svc",
    environment: "stage",
    version,
    attempt: 2,
  });
});

test("secrets are not written, at any of three levels", () => {
  const lines = write((log) => {
    log.info({ password: "p4ss", headers: { authorization: "p4ss", cookie: "p4ss" } }, "one");
    log.info({ request: { headers: { authorization: "p4ss" } }, user: { token: "p4ss" } }, "two");
  });
  expect(JSON.stringify(lines)).not.toContain("p4ss");
  expect(lines).toHaveLength(2);
});

test("lines below the level are left out", () => {
  expect(write((log) => log.debug("hidden"))).toEqual([]);
});
