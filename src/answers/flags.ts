import type { Manifest } from "../catalog/manifest.ts";
import type { AnswerKey, Answers } from "./schema.ts";

interface AnswerFlag {
  key: AnswerKey;
  /** As in `--port`, or `[name]` for the one answer that is an argument. */
  flag: string;
  value: string;
  help: (manifest: Pick<Manifest, "frameworks" | "integrations" | "packageManagers">) => string;
  /** What the flag's text means. A text that means nothing stays a text, and the schema refuses it. */
  read: (text: string) => unknown;
}

const asText = (text: string) => text;
const asNumber = (text: string) => (/^\d{1,9}$/.test(text) ? Number(text) : text);
const asList = (text: string) =>
  text === "none" ? [] : [...new Set(text.split(",").map((part) => part.trim()))];

function namesOf(entries: readonly { name: string }[], none: string): string {
  return entries.map((entry) => entry.name).join(", ") || none;
}

/** Every answer's flag, in the order in which they are asked, listed and printed. */
export const ANSWER_FLAGS: readonly AnswerFlag[] = [
  {
    key: "name",
    flag: "[name]",
    value: "",
    help: () => "name of the service, and of the folder to make",
    read: asText,
  },
  {
    key: "description",
    flag: "--description",
    value: "<text>",
    help: () => "what the service does, in a sentence",
    read: asText,
  },
  {
    key: "team",
    flag: "--team",
    value: "<name>",
    help: () => "team that owns it (default: platform)",
    read: asText,
  },
  {
    key: "framework",
    flag: "--framework",
    value: "<name>",
    help: ({ frameworks }) => `HTTP framework: ${namesOf(frameworks, "")}`,
    read: asText,
  },
  {
    key: "port",
    flag: "--port",
    value: "<number>",
    help: () => "port of the API (default: 8000)",
    read: asNumber,
  },
  {
    key: "metricsPort",
    flag: "--metrics-port",
    value: "<number>",
    help: () => "port of /metrics (default: 8080)",
    read: asNumber,
  },
  {
    key: "integrations",
    flag: "--integrations",
    value: "<list>",
    help: ({ integrations }) =>
      `comma-separated, or none: ${namesOf(integrations, "there are none yet")}`,
    read: asList,
  },
  {
    key: "packageManager",
    flag: "--package-manager",
    value: "<name>",
    help: ({ packageManagers }) =>
      `${namesOf(packageManagers, "")} (default: the one that runs this)`,
    read: asText,
  },
];

/** The name of an answer as the user gives it: its flag. */
export function flagOf(key: AnswerKey): string {
  return ANSWER_FLAGS.find((entry) => entry.key === key)?.flag ?? key;
}

/** The answers among the command line's options, which commander names in camel case as we do. */
export function answersFromFlags(options: Record<string, unknown>): Partial<Answers> {
  const given = ANSWER_FLAGS.flatMap(({ key, read }) => {
    const value = options[key];
    return typeof value === "string" ? [[key, read(value)]] : [];
  });
  return Object.fromEntries(given) as Partial<Answers>;
}

/** The one line that makes the same service again, without a question. */
export function equivalentCommand(
  answers: Answers,
  defaults: Omit<Answers, "name">,
  extra: readonly string[],
  program = "create-fetch-service",
): string {
  const flags = ANSWER_FLAGS.filter(
    ({ key }) =>
      key === "packageManager" ||
      (key !== "name" && String(answers[key]) !== String(defaults[key])),
  ).flatMap(({ key, flag }) => [flag, quoteForShell(String(answers[key]) || "none")]);
  return [program, answers.name, ...flags, ...extra, "--yes"].join(" ");
}

/** A word that a POSIX shell reads as exactly this text. */
export function quoteForShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
