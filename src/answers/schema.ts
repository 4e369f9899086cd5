import { builtinModules } from "node:module";

import * as z from "zod/mini";

import type { Manifest } from "../catalog/manifest.ts";
import { closest, show } from "./text.ts";

/** Everything that decides what a service looks like. */
export interface Answers {
  name: string;
  description: string;
  team: string;
  framework: string;
  port: number;
  metricsPort: number;
  integrations: string[];
  packageManager: string;
}

export type AnswerKey = keyof Answers;

// A run checks its answers once; writing a program for that would take longer than the check.
z.config({ jitless: true });

/** What is taken for an answer that nobody gave. A name has no default. */
export function defaultAnswers(manifest: Manifest): Omit<Answers, "name"> {
  return {
    description: "A Fetch service",
    team: "platform",
    framework: manifest.frameworks[0]?.name ?? "",
    port: 8000,
    metricsPort: 8080,
    integrations: [],
    packageManager: manifest.packageManagers[0]?.name ?? "",
  };
}

/** In the order in which they are asked for. Not from the schema, which takes longer to make. */
export function answerKeys(manifest: Manifest): AnswerKey[] {
  return ["name", ...(Object.keys(defaultAnswers(manifest)) as AnswerKey[])];
}

const NAME_RULE =
  "use 1 to 64 lowercase letters, digits and hyphens, starting with a letter and not ending with a hyphen";

// Windows reserves these as file names, whatever follows the dot.
const DEVICE_NAME = /^(con|prn|aux|nul|com\d|lpt\d)$/;

const name = z.string(NAME_RULE).check(
  z.regex(/^[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?$/, { error: NAME_RULE, abort: true }),
  z.refine((text) => !DEVICE_NAME.test(text), "Windows reserves this name; pick another"),
  z.refine(
    (text) => !builtinModules.includes(text),
    "npm does not allow the name of a Node module; pick another",
  ),
);

const DESCRIPTION_RULE =
  "use 1 to 300 characters, not starting or ending with a space, without control characters";

const description = z
  .string(DESCRIPTION_RULE)
  .check(
    z.refine(
      (text) =>
        text === text.trim() &&
        text.length > 0 &&
        text.length <= 300 &&
        text.isWellFormed() &&
        !/[^\P{Cc}\n\t]/u.test(text),
      DESCRIPTION_RULE,
    ),
  );

// What AWS allows in the value of a tag, since the team becomes one. GitHub's handles begin with @.
const TEAM_RULE =
  "use 1 to 64 letters, digits, spaces and . _ : / = + - @, starting with a letter or @";
const team = z
  .string(TEAM_RULE)
  .check(z.regex(/^@?\p{L}(?:[\p{L}\p{N} ._:/=+@-]{0,62}[\p{L}\p{N}])?$/u, TEAM_RULE));

const PORT_RULE = "use a whole number from 1024 to 65535";
const port = z
  .number(PORT_RULE)
  .check(
    z.refine((value) => Number.isInteger(value) && value >= 1024 && value <= 65_535, PORT_RULE),
  );

/** The one source of the rules: flags, prompts and answer files are all checked by it. */
export function answersSchema(manifest: Manifest) {
  return z
    .strictObject({
      name,
      description,
      team,
      framework: oneOf(manifest.frameworks),
      port,
      metricsPort: port,
      integrations: z.array(oneOf(manifest.integrations)),
      packageManager: oneOf(manifest.packageManagers),
    })
    .check(
      z.refine((answers) => answers.port !== answers.metricsPort, {
        error: "the service and its metrics need two different ports",
        path: ["metricsPort"],
      }),
    );
}

function oneOf(entries: readonly { name: string }[]) {
  const names = entries.map((entry) => entry.name);
  return z.string().check(
    z.refine((text) => names.includes(text), {
      error: ({ input }) => {
        const guess = closest(String(input), names);
        const known = names.length > 0 ? `use ${names.join(" or ")}` : "there are none yet";
        return `${show(input)} is unknown; ${guess ? `did you mean ${guess}?` : known}`;
      },
    }),
  );
}

/** The rule that one answer breaks, in words; undefined when it is good. */
export function problemOf(manifest: Manifest, key: AnswerKey, value: unknown): string | undefined {
  const rules = answersSchema(manifest).shape;
  return rules[key].safeParse(value).error?.issues[0]?.message;
}
