import { expect, test } from "vitest";
import { createLogger } from "../../src/platform/logging.ts";
import manifest from "../../package.json" with { type: "json" };

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
    version: manifest.version,
    attempt: 2,
  });
});

const SECRETS = `
  password PASSWORD db_password passwd secret client_secret token access_token refreshToken
  authorization Authorization Proxy-Authorization cookie set-cookie x-api-key apiKey API_KEY
  secretAccessKey credentials PAGE_CURSOR_KEY private_key`;

test.each(SECRETS.trim().split(/\s+/))(
  "what stands under %s is not written, however deep and whatever it is",
  (name) => {
    const values = ["hunter2", ["hunter2"], { value: "hunter2" }, 'hun"ter2'];
    const error = Object.assign(new Error("refused"), {
      request: { headers: { [name]: "hunter2" } },
    });
    const lines = write((log) => {
      for (const value of values) log.info({ [name]: value, a: { b: { c: [{ [name]: value }] } } });
      log.error({ error }, "failed");
      log.child({ [name]: "hunter2" }).info("from a child");
    });
    expect(lines).toHaveLength(values.length + 2);
    for (const line of lines) expect(JSON.stringify(line)).not.toMatch(/hun.{0,3}ter2/);
    expect(lines[0]).toMatchObject({
      level: "info",
      [name]: "[redacted]",
      a: { b: { c: [{ [name]: "[redacted]" }] } },
    });
    expect(lines[4]).toMatchObject({ error: { message: "refused", stack: expect.any(String) } });
  },
);

test("everything else is", () => {
  const fields = { key: "a/b.png", keyboard: "qwerty", author: "me", message_id: "m-1" };
  const [line] = write((log) => log.info(fields, 'the "token": "is" new'));
  expect(line).toMatchObject({ ...fields, message: 'the "token": "is" new' });
});

test("lines below the level are left out", () => {
  expect(write((log) => log.debug("hidden"))).toEqual([]);
});
