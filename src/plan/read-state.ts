import semver from "semver";
import * as z from "zod/mini";

import { type Answers, answersSchema } from "../answers/schema.ts";
import { show } from "../answers/text.ts";
import type { Manifest } from "../catalog/manifest.ts";
import { messageOf, UserError } from "../errors.ts";
import type { AcceptedFiles } from "./accepted.ts";
import { decode } from "./merge/three-way/encoding.ts";
import { FORMAT, STATE_FILE } from "./state.ts";

const path = z.string().check(
  z.refine((text) => isInside(text), {
    error: ({ input }) => `${show(input)} is not a path of a service`,
  }),
);
const blob = z.optional(z.string().check(z.regex(/^[0-9a-f]{40}$/, "is not a blob id")));
const file = z.strictObject({
  blob,
  owner: z.enum(["merged", "once", "managed"]),
});
const accepted = z.strictObject({ blob, reason: z.optional(z.string()) });
const stateSchema = z.strictObject({
  format: z.literal(FORMAT),
  templateVersion: z
    .string()
    .check(z.refine((text) => semver.valid(text) === text, "is not a version")),
  answers: z.record(z.string(), z.unknown()),
  files: z.record(path, file),
  accepted: z._default(z.record(path, accepted), {}),
});

/** What a service remembers of how it was made. */
export interface State {
  templateVersion: string;
  /** As they were recorded; `recordedAnswers` checks them. */
  answers: Record<string, unknown>;
  files: ReadonlyMap<string, z.infer<typeof file>>;
  /** Differences from the template that the team wants. */
  accepted: AcceptedFiles;
}

const REBUILD = "`create-fetch-service adopt` rebuilds it; git may have the last good one";

/**
 * Reads a state file.
 * @throws {UserError} when there is none, when it is of a format to come, or when it makes no sense.
 */
export function readState(bytes: Uint8Array | undefined): State {
  if (!bytes) {
    throw new UserError(
      "STATE_MISSING",
      `no ${STATE_FILE} here: this is not a service made by create-fetch-service`,
      "go to a service's folder or name it with --directory; `adopt` rebuilds a lost file",
    );
  }
  // Some editors of Windows begin a file with a byte order mark.
  const data = parse(decode(bytes)?.replace(/^\uFEFF/, ""));
  const { format } = data;
  if (typeof format === "number" && format > FORMAT) {
    throw new UserError(
      "STATE_NEWER",
      `${STATE_FILE} has format ${format}, and this version knows ${FORMAT}`,
      "use a newer create-fetch-service: npx create-fetch-service@latest",
    );
  }
  const result = stateSchema.safeParse(data);
  if (!result.success) {
    throw broken(describe(result.error.issues[0]));
  }
  const { files, accepted: wanted, ...rest } = result.data;
  return {
    ...rest,
    files: new Map(Object.entries(files)),
    accepted: new Map(Object.entries(wanted)),
  };
}

/**
 * The answers that a service was made from.
 * @throws {UserError} when the catalogue does not know one of them.
 */
export function recordedAnswers({ answers }: State, manifest: Manifest): Answers {
  const result = answersSchema(manifest).safeParse(answers);
  if (!result.success) {
    throw broken(`the answers: ${describe(result.error.issues[0])}`);
  }
  return result.data;
}

function parse(text: string | undefined): Record<string, unknown> {
  if (text !== undefined && /^(?:<{7}|>{7}) /m.test(text)) {
    const what = `${STATE_FILE} has the marks of a merge of two branches`;
    const hint = "take either side whole, then add or remove what the other did";
    throw new UserError("STATE_BROKEN", what, hint);
  }
  let data: unknown;
  try {
    data = JSON.parse(text ?? "no text");
  } catch (error) {
    throw broken(messageOf(error));
  }
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw broken("it is no JSON object");
  }
  return { ...data };
}

/** What is wrong, and where. */
function describe(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === "unrecognized_keys") {
    return `${[...issue.path, issue.keys.join(", ")].join(": ")} is unknown`;
  }
  const inner = issue?.code === "invalid_key" ? issue.issues[0]?.message : undefined;
  return [...(issue?.path ?? []), inner ?? issue?.message].join(": ");
}

function broken(problem: string): UserError {
  return new UserError("STATE_BROKEN", `${STATE_FILE} makes no sense: ${problem}`, REBUILD);
}

/** A path that a service may have: below its folder, with plain slashes. */
function isInside(text: string): boolean {
  return text
    .split("/")
    .every((part) => part !== "" && part !== "." && part !== ".." && !/[\\\0]/.test(part));
}
