import { type Check, needed } from "../check.ts";
import { expect, expectEqual, expectStatus, show } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import type { Target } from "../target.ts";
import { send } from "../wire/send.ts";
import { expectFailedStart, versionOf, withInstance } from "./steps.ts";

const WRONG = {
  ENVIRONMENT: "moon",
  LOG_LEVEL: "loud",
  PORT: "eighty",
  METRICS_PORT: "70000",
  CORS_ORIGINS: "not an origin",
  OTEL_EXPORTER_OTLP_ENDPOINT: "not a url",
  OTEL_TRACES_SAMPLER_ARG: "7",
};

/** What a service makes of its environment. */
export const settingsChecks: Check[] = [
  {
    id: "settings.all-problems-at-once",
    sentence: STANDARD.settings,
    async run(target) {
      const said = await refusalOf(target, WRONG);
      const unnamed = Object.keys(WRONG).filter((name) => !said.includes(name));
      expectEqual(unnamed, [], `wrong settings that are not named in ${show(said)}`);
    },
  },
  ...Object.entries(WRONG).map(([name, value]): Check => ({
    id: `settings.wrong: ${name}`,
    sentence: STANDARD.settings,
    async run(target) {
      const said = await refusalOf(target, { [name]: value });
      expect(said.includes(name), `${name} is wrong, and the service says ${show(said)}`);
      const others = Object.keys(WRONG).filter(
        (other) => other !== name && new RegExp(`\\b${other}\\b`).test(said),
      );
      expectEqual(others, [], `settings that are named beside ${name}`);
    },
  })),
  {
    id: "settings.wrong-numbers",
    sentence: STANDARD.settings,
    async run(target) {
      for (const port of ["0", "-1", "65536", "1.5", "8000x", "0x1F90", "1e4"]) {
        const said = await refusalOf(target, { PORT: port });
        expect(said.includes("PORT"), `PORT=${port}: ${show(said)}`);
      }
    },
  },
  {
    id: "settings.refusal-is-one-json-line",
    level: "hardening",
    sentence: STANDARD.logs,
    async run(target) {
      const environment = { LOG_LEVEL: "loud" };
      await withInstance(target, { environment, atOnce: true }, async (instance) => {
        await expectFailedStart(instance);
        const lines = await instance.output();
        for (const line of lines) {
          const parsed: unknown = JSON.parse(line);
          expect(typeof parsed === "object" && parsed !== null, `not a JSON object: ${line}`);
        }
        expectEqual(lines.length, 1, "lines on standard output");
      });
    },
  },
  {
    id: "settings.no-stack-for-the-user",
    level: "hardening",
    sentence: STANDARD.settings,
    async run(target) {
      const said = await refusalOf(target, { LOG_LEVEL: "loud" });
      expect(!/\n\s+at |node:internal|Traceback/.test(said), `a stack: ${show(said)}`);
    },
  },
  {
    id: "settings.environment-and-name",
    sentence: STANDARD.settingNames,
    async run(target) {
      for (const ENVIRONMENT of ["dev", "stage", "preprod", "prod"]) {
        const environment = { ENVIRONMENT, SERVICE_NAME: "another-name" };
        await withInstance(target, { environment }, async (instance) => {
          const said = await versionOf(instance);
          expectEqual(said.environment, ENVIRONMENT, "environment");
          expectEqual(said.service, "another-name", "service");
        });
      }
    },
  },
  {
    id: "settings.dot-env",
    sentence: STANDARD.settings,
    async run(target) {
      const dotEnv = "SERVICE_NAME=from-the-file\nENVIRONMENT=stage\n";
      const environment = { ENVIRONMENT: "preprod" };
      await withInstance(target, { dotEnv, environment }, async (instance) => {
        const said = await versionOf(instance);
        expectEqual(said.service, "from-the-file", "a variable of .env");
        expectEqual(said.environment, "preprod", "a variable of both, where the environment wins");
      });
    },
  },
  {
    id: "settings.empty-is-unset",
    level: "hardening",
    sentence: STANDARD.settings,
    async run(target) {
      const environment = { LOG_LEVEL: "", CORS_ORIGINS: "", OTEL_EXPORTER_OTLP_ENDPOINT: "" };
      await withInstance(target, { environment }, async ({ url }) => {
        expectStatus(await send(url, "/health/ready"), 200);
      });
    },
  },
  {
    id: "settings.port-taken",
    level: "hardening",
    sentence: STANDARD.settings,
    async run(target) {
      for (const name of ["PORT", "METRICS_PORT"]) {
        await withInstance(target, {}, async (first) => {
          const taken = new URL(name === "PORT" ? first.url : first.metricsUrl).port;
          const said = await refusalOf(target, { [name]: taken });
          expect(said.includes(taken), `${name} is taken, and the service says ${show(said)}`);
          expectStatus(await send(first.url, "/health"), 200);
        });
      }
    },
  },
];

/** What a service says that must not start in this environment; its exit code is checked on the way. */
async function refusalOf(target: Target, environment: Record<string, string>): Promise<string> {
  needed(target.launch, "launch");
  return withInstance(target, { environment, atOnce: true }, async (instance) => {
    await expectFailedStart(instance);
    return instance.allOutput();
  });
}
