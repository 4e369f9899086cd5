import { existsSync } from "node:fs";
import { z } from "zod";

/** Settings that cannot be used. `problems` has one line for every variable that is wrong. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly problems: string[];

  constructor(problems: string[]) {
    super(`invalid settings:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

// Digits only: to JavaScript "0x10", "1e3" and " 5 " are numbers too, to a reader of the environment they are typos.
const whole = z.string().regex(/^\d+$/, "must be a whole number").pipe(z.coerce.number());
const decimal = z
  .string()
  .regex(/^\d+(\.\d+)?$/, "must be a number")
  .pipe(z.coerce.number());
const seconds = decimal.pipe(z.number().max(86_400));

// Names that Python services use for the same thresholds; deployed environments carry both.
const LEVEL_ALIASES: Record<string, string> = { warning: "warn", critical: "fatal" };
const level = z
  .string()
  .transform((text) => LEVEL_ALIASES[text.toLowerCase()] ?? text.toLowerCase())
  .pipe(z.enum(["trace", "debug", "info", "warn", "error", "fatal"]));

const flag = z
  .enum(["true", "false"], "must be true or false")
  .transform((text) => text === "true");

const origin = z
  .string()
  .refine(
    (text) => text === "*" || URL.parse(text)?.origin === text,
    "must be * or an origin such as https://example.com",
  );
const names = z.string().transform((text) => text.split(/[\s,]+/).filter(Boolean));
const origins = names.pipe(z.array(origin));

/** The variables that every service of the standard has. `settings.ts` adds the service's own. */
export const standardSettings = {
  ENVIRONMENT: z.enum(["dev", "stage", "preprod", "prod"]).default("dev"),
  LOG_LEVEL: level.default("info"),
  LOG_SECRETS: names.default([]),
  AWS_REGION: z.string().default("us-east-1"),
  IN_MEMORY: names.default([]),
  CORS_ORIGINS: origins.default([]),
  CORS_CREDENTIALS: flag.default(false),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_TRACES_SAMPLER_ARG: decimal.pipe(z.number().max(1)).default(1),
  TRUSTED_PROXIES: whole.pipe(z.number().max(10)).default(1),
  LOAD_BALANCER_IDLE_TIMEOUT: seconds.default(60),
  STOP_TIMEOUT: seconds.default(120),
};

/** The settings that the platform itself reads. */
export type StandardSettings = Readonly<
  z.output<z.ZodObject<typeof standardSettings>> & {
    SERVICE_NAME: string;
    SERVICE_DESCRIPTION: string;
    VERSION: string;
    PORT: number;
    METRICS_PORT: number;
  }
>;

/** A TCP port that the service listens on. */
export const portSetting = whole.pipe(z.number().min(1).max(65_535));

/**
 * Reads the environment (and `.env` in the working directory, which never overrides it) into typed settings.
 * An empty variable counts as not set, because that is what `KEY=` in a compose or env file means.
 * @throws {SettingsError} with every problem at once.
 */
export function readSettings<Schema extends z.ZodType>(
  schema: Schema,
  env: NodeJS.ProcessEnv = process.env,
): Readonly<z.output<Schema>> {
  if (env === process.env && existsSync(".env")) process.loadEnvFile(".env");
  const given = Object.entries(env).filter(([, value]) => value !== "");
  // Those that could be read have their values by now.
  const secrets = given.filter(([, value]) => value?.startsWith("aws-secret:"));
  const { data, error } = schema.safeParse(Object.fromEntries(given));
  const issues = error?.issues.filter(({ path }) => !secrets.some(([name]) => name === path[0]));
  const problems = [
    ...secrets.map(([name, value]) => `${name}: names a secret that cannot be read: ${value}`),
    ...(issues ?? []).map(describe),
  ];
  if (problems.length > 0) throw new SettingsError(problems);
  return Object.freeze(data!);
}

function describe(issue: z.core.$ZodIssue): string {
  const variable = issue.path[0] === undefined ? "settings" : String(issue.path[0]);
  const missing = issue.message.endsWith("received undefined");
  return `${variable}: ${missing ? "is required" : issue.message}`;
}
