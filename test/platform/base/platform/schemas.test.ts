import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  checkerOf,
  compileSchema,
  describeIssues,
  encoderOf,
} from "../../src/platform/http/schemas.ts";
import { AppError } from "../../src/platform/errors.ts";

/** What is wrong with `input` as a body. */
function detailsOf(schema: z.ZodType, input: unknown): [string, string][] {
  const result = compileSchema(schema)(input);
  if (result instanceof Promise) throw new Error("not at once");
  return describeIssues("body", result.error?.issues ?? [], input).map(({ field, message }) => [
    field,
    message,
  ]);
}

describe("a checker", () => {
  test("gives what the schema makes of a part", () => {
    expect(checkerOf("body", z.object({ a: z.coerce.number() }))({ a: "1" })).toEqual({ a: 1 });
  });

  test.each(["query", "params"] as const)("turns the text of %s into what is asked for", (part) => {
    const check = checkerOf(part, z.object({ size: z.int(), tags: z.array(z.string()) }));
    expect(check({ size: "1", tags: "a" })).toEqual({ size: 1, tags: ["a"] });
    expect(() => check({ size: "1x", tags: "a" })).toThrow("Request validation failed");
  });

  test("leaves the text of other parts alone", () => {
    const check = checkerOf("body", z.object({ size: z.int() }));
    expect(() => check({ size: "1" })).toThrow("Request validation failed");
  });

  test("says what is wrong, with the name of the part", () => {
    const check = checkerOf("headers", z.object({ "x-tenant": z.string() }));
    const details = [{ field: "headers.x-tenant", message: "Field required" }];
    const error = new AppError("VALIDATION_ERROR", "Request validation failed", { details });
    expect(() => check({})).toThrow(error);
    expect(() => check({})).toThrow(expect.objectContaining({ code: "VALIDATION_ERROR", details }));
  });

  const isFree = async (name: string): Promise<boolean> => name !== "taken";
  test.each<[string, z.ZodType]>([
    ["an async function", z.object({ name: z.string().refine(async (name) => isFree(name)) })],
    [
      "a function that returns a promise",
      z.object({ name: z.string().refine((name) => isFree(name)) }),
    ],
    [
      "an async check",
      z.object({ name: z.string() }).superRefine(async ({ name }, context) => {
        if (!(await isFree(name))) context.addIssue({ code: "custom", message: "taken" });
      }),
    ],
    [
      "an async transform",
      z.object({
        name: z.string().transform(async (name, context) => {
          if (!(await isFree(name))) context.addIssue("taken");
          return name;
        }),
      }),
    ],
  ])("waits for %s", async (_what, schema) => {
    const check = checkerOf("body", schema);
    for (let round = 0; round < 2; round++) {
      expect(await check({ name: "new", more: 1 })).toEqual({ name: "new" });
      await expect(check({ name: "taken" })).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    }
  });

  test("asks an async function once per value", async () => {
    let calls = 0;
    await checkerOf(
      "body",
      z.string().refine(async () => ++calls > 0),
    )("a");
    expect(calls).toBe(1);
  });

  test("refuses nesting that overflows the stack", () => {
    const tree = z.object({
      get children() {
        return z.array(tree);
      },
    });
    let deep: object = { children: [] };
    for (let depth = 0; depth < 100_000; depth++) deep = { children: [deep] };
    expect(detailsOf(tree, deep)).toEqual([["body", "Nested too deeply"]]);
  });

  test("lets other errors of a schema through", () => {
    const broken = z.string().transform((text) => new Date(text).toISOString());
    expect(() => checkerOf("body", broken)("no date")).toThrow(RangeError);
  });
});

test("an encoder gives JSON, without what is not declared, or throws", () => {
  const encode = encoderOf(z.object({ id: z.string(), at: z.date() }));
  const at = new Date(0);
  expect(encode({ id: "1", at, secret: 1 })).toBe('{"id":"1","at":"1970-01-01T00:00:00.000Z"}');
  expect(() => encode({ id: 1, at })).toThrow("the response breaks its declared schema");
  const waiting = z.string().refine(async () => true);
  expect(() => encoderOf(waiting)).toThrow("the schema of an answer cannot be asynchronous");
});

describe("a missing field", () => {
  test.each<[string, z.ZodType]>([
    ["string", z.string()],
    ["number", z.int()],
    ["enum", z.enum(["a", "b"])],
    ["literal", z.literal("a")],
    ["array", z.array(z.string())],
    ["object", z.object({ inner: z.string() })],
    ["union", z.union([z.string(), z.number()])],
    ["discriminated union", z.discriminatedUnion("type", [z.object({ type: z.literal("a") })])],
    ["date", z.iso.date()],
    ["coerced date", z.date()],
  ])("is required: %s", (_type, value) => {
    expect(detailsOf(z.object({ value }), {})).toEqual([["body.value", "Field required"]]);
  });

  test("can be the whole body, or deep in it", () => {
    expect(detailsOf(z.object({}), undefined)).toEqual([["body", "Field required"]]);
    const schema = z.object({ items: z.array(z.object({ price: z.string() })) });
    expect(detailsOf(schema, { items: [{ price: "1" }, {}] })).toEqual([
      ["body.items.1.price", "Field required"],
    ]);
  });

  test("is told whatever language zod speaks, and keeps a text of the schema's own", () => {
    const schema = z.object({ plain: z.string(), own: z.string("Say who you are") });
    const { localeError } = z.config();
    z.config(z.locales.de());
    try {
      expect(detailsOf(schema, {})).toEqual([
        ["body.plain", "Field required"],
        ["body.own", "Say who you are"],
      ]);
    } finally {
      z.config({ localeError });
    }
  });

  test("is not one that is there", () => {
    expect(detailsOf(z.object({ value: z.string() }), { value: null })).toEqual([
      ["body.value", "Invalid input: expected string, received null"],
    ]);
    const schema = z.string("received undefined");
    expect(detailsOf(z.object({ value: schema }), { value: 1 })).toEqual([
      ["body.value", "received undefined"],
    ]);
    const refined = z
      .object({ a: z.string().optional() })
      .refine(() => false, { path: ["a"], error: "a or b" });
    expect(detailsOf(refined, {})).toEqual([["body.a", "a or b"]]);
  });
});

describe("a union", () => {
  test("says each branch's reason", () => {
    const value = z.union([z.string(), z.object({ cents: z.int(), currency: z.string() })]);
    expect(detailsOf(z.object({ value }), { value: { cents: 1.5 } })).toEqual([
      ["body.value", "option 1: Invalid input: expected string, received object"],
      ["body.value.cents", "option 2: Invalid input: expected int, received number"],
      ["body.value.currency", "option 2: Field required"],
    ]);
  });

  test("within a union says both", () => {
    const value = z.union([z.string(), z.array(z.union([z.int(), z.boolean()]))]);
    expect(detailsOf(z.object({ value }), { value: ["a"] })).toEqual([
      ["body.value", "option 1: Invalid input: expected string, received array"],
      ["body.value.0", "option 2: option 1: Invalid input: expected number, received string"],
      ["body.value.0", "option 2: option 2: Invalid input: expected boolean, received string"],
    ]);
  });

  test("says which discriminators there are", () => {
    const value = z.discriminatedUnion("type", [
      z.object({ type: z.literal("a") }),
      z.object({ type: z.literal("b") }),
    ]);
    const [field, message] = detailsOf(z.object({ value }), { value: { type: "c" } })[0]!;
    expect(field).toBe("body.value.type");
    expect(message).toMatch(/'a' \| 'b'/);
  });

  test("nested ever deeper ends", () => {
    const nested: z.ZodType = z.union([z.string(), z.object({ inner: z.lazy(() => nested) })]);
    let input: unknown = 1;
    for (let depth = 0; depth < 500; depth++) input = { inner: input };
    const details = detailsOf(nested, input);
    expect(details.length).toBeLessThanOrEqual(20);
    for (const [field, message] of details) {
      expect(field.length).toBeLessThanOrEqual(200);
      expect(message.length).toBeLessThanOrEqual(200);
    }
  });
});

test("the key of a record says why it is refused", () => {
  const schema = z.record(z.string().max(2), z.int());
  expect(detailsOf(schema, { abc: 1 })).toEqual([
    ["body.abc", "Too big: expected string to have <=2 characters"],
  ]);
});

describe("the size of what is said", () => {
  const items = Array.from({ length: 1_000 }, () => ({}));
  const schema = z.array(z.object({ name: z.string(), price: z.string() }));

  test("is at most 20 details", () => {
    const details = detailsOf(schema, items);
    expect(details).toHaveLength(20);
    expect(details[0]).toEqual(["body.0.name", "Field required"]);
    expect(details.at(-1)).toEqual(["body", "and more"]);
    expect(detailsOf(schema, items.slice(0, 10))).toHaveLength(20);
    expect(detailsOf(schema, items.slice(0, 10)).at(-1)?.[1]).toBe("Field required");
  });

  test("is at most 200 characters a text", () => {
    const key = "😀".repeat(10_000);
    const record = z.record(z.string(), z.int());
    const [field, message] = detailsOf(record, { [key]: "a" })[0]!;
    expect(field).toHaveLength(200);
    expect(field.isWellFormed()).toBe(true);
    expect(field.endsWith("…")).toBe(true);
    expect(message).toBe("Invalid input: expected number, received string");
    const [, unknown] = detailsOf(z.strictObject({}), { [key]: 1 })[0]!;
    expect(unknown).toHaveLength(200);
  });
});
