import { parse as parseYaml } from "yaml";

import { type AnswerKey, type Answers, defaultAnswers, problemOf } from "../answers/schema.ts";
import type { Manifest } from "../catalog/manifest.ts";
import { decode } from "./merge/three-way/encoding.ts";
import type { DiskTree } from "./plan.ts";

/** The answers that stand literally in a service's files. */
export type Guess = Omit<Answers, "framework" | "packageManager" | "integrations">;

/** Reads answers out of a service's files; undefined when not even its name is there. */
export function guessAnswers(manifest: Manifest, mine: DiskTree): Guess | undefined {
  const text = (path: string) => decode(mine.get(path)?.bytes ?? new Uint8Array()) ?? "";
  const fsd = readOrNothing(() => parseYaml(text("fsd.yml")));
  const npm = readOrNothing(() => JSON.parse(text("package.json")));
  const env = (name: string) =>
    Number(new RegExp(`^${name}=(\\d+)`, "m").exec(text(".env.example"))?.[1]);
  const firstGood = <Key extends AnswerKey>(key: Key, ...values: unknown[]) =>
    values.find((value) => problemOf(manifest, key, value) === undefined) as Answers[Key];
  const defaults = defaultAnswers(manifest);
  const name = firstGood("name", at(npm, "name"), at(fsd, "name")) as string | undefined;
  const port = firstGood("port", env("PORT"), at(fsd, "networking", "port"), defaults.port);
  const metricsPort = firstGood(
    "metricsPort",
    ...[
      env("METRICS_PORT"),
      at(fsd, "observability", "metrics", "port"),
      defaults.metricsPort,
    ].filter((value) => value !== port),
    port + 1,
  );
  const descriptions = [at(npm, "description"), at(fsd, "description"), defaults.description];
  const description = firstGood("description", ...descriptions);
  const team = firstGood("team", at(fsd, "team"), defaults.team);
  return name === undefined ? undefined : { name, description, team, port, metricsPort };
}

function readOrNothing(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function at(value: unknown, ...keys: string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined,
    value,
  );
}
