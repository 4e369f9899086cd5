import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadSettings } from "../src/settings.ts";

const fsd = parse(readFileSync(new URL("../fsd.yml", import.meta.url), "utf8"));

test("fsd.yml tells the service the time-outs that the platform really has", () => {
  expect(fsd.environment).toMatchObject({
    LOAD_BALANCER_IDLE_TIMEOUT: String(fsd.networking.load_balancer.idle_timeout),
    STOP_TIMEOUT: String(fsd.compute.stop_timeout),
  });
});

test("fsd.yml deploys the ports and the name that the service has", () => {
  const settings = loadSettings({});
  expect(fsd.name).toBe(settings.SERVICE_NAME);
  expect(fsd.networking.port).toBe(settings.PORT);
  expect(fsd.networking.health_check.port).toBe(settings.PORT);
  expect(fsd.observability.metrics.port).toBe(settings.METRICS_PORT);
});

test("the share of traces is the same for the platform and the service", () => {
  expect(fsd.environment.OTEL_TRACES_SAMPLER_ARG).toBe(
    String(fsd.observability.tracing.sampling_rate),
  );
});
