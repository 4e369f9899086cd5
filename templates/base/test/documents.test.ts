import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadSettings, settingsSchema } from "../src/settings.ts";

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
