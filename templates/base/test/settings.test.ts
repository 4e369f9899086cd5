import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { SettingsError } from "../src/platform/settings.ts";
import { loadSettings, settingsSchema } from "../src/settings.ts";

function problemsOf(env: Record<string, string>): string[] {
  try {
    loadSettings(env);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

test("everything has a default for local work", () => {
  expect(loadSettings({})).toMatchObject({
    ENVIRONMENT: "dev",
    LOG_LEVEL: "info",
    LOG_SECRETS: [],
    AWS_REGION: "us-east-1",
    CORS_ORIGINS: [],
    OTEL_TRACES_SAMPLER_ARG: 1,
  });
});

test("values are typed", () => {
  const settings = loadSettings({
    PORT: "9000",
    METRICS_PORT: "9001",
    CORS_ORIGINS: "https://a.example, https://b.example",
    OTEL_TRACES_SAMPLER_ARG: "0.1",
    LOG_LEVEL: "WARNING",
  });
  expect(settings).toMatchObject({
    PORT: 9_000,
    METRICS_PORT: 9_001,
    CORS_ORIGINS: ["https://a.example", "https://b.example"],
    OTEL_TRACES_SAMPLER_ARG: 0.1,
    LOG_LEVEL: "warn",
  });
});

test("all problems are listed at once, each with its variable", () => {
  const problems = problemsOf({
    ENVIRONMENT: "production",
    PORT: "http",
    CORS_ORIGINS: "a.example",
    OTEL_TRACES_SAMPLER_ARG: "2",
    OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317",
    LOG_LEVEL: "loud",
  });
  expect(problems.map((problem) => problem.split(":", 1)[0]).toSorted()).toEqual([
    "CORS_ORIGINS",
    "ENVIRONMENT",
    "LOG_LEVEL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_TRACES_SAMPLER_ARG",
    "PORT",
  ]);
});

test("a problem says what is wrong", () => {
  expect(problemsOf({ PORT: "http", OTEL_TRACES_SAMPLER_ARG: "2" })).toEqual([
    "OTEL_TRACES_SAMPLER_ARG: Too big: expected number to be <=1",
    "PORT: must be a whole number",
  ]);
});

test.each(["0x1F90", "1e4", " 8000", "-1", "80.5", "0", "65536"])("PORT=%j is refused", (PORT) => {
  expect(problemsOf({ PORT })).toEqual([expect.stringMatching(/^PORT: /)]);
});

test("the two ports must differ", () => {
  expect(problemsOf({ PORT: "9000", METRICS_PORT: "9000" })).toEqual([
    "METRICS_PORT: must differ from PORT",
  ]);
});

test("an empty variable counts as not set", () => {
  expect(loadSettings({ PORT: "", OTEL_EXPORTER_OTLP_ENDPOINT: "" }).ENVIRONMENT).toBe("dev");
});

const textOf = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
const readme = textOf("README.md");
const fsd = parse(textOf("fsd.yml"));

test.each(Object.keys(settingsSchema.shape))("README.md explains the setting %s", (variable) => {
  expect(readme.includes(`| \`${variable}\``)).toBe(true);
});

test("fsd.yml deploys the ports and the name that the service has", () => {
  const settings = loadSettings({});
  expect(fsd.name).toBe(settings.SERVICE_NAME);
  expect(fsd.networking.port).toBe(settings.PORT);
  expect(fsd.networking.health_check.port).toBe(settings.PORT);
});

test("fsd.yml tells the service what the load balancer and the tracing are set to", () => {
  expect(fsd.environment).toMatchObject({
    LOAD_BALANCER_IDLE_TIMEOUT: String(fsd.networking.load_balancer.idle_timeout),
    OTEL_TRACES_SAMPLER_ARG: String(fsd.observability.tracing.sampling_rate),
  });
});
