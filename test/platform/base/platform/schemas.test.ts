import { describe, expect, test } from "vitest";
import { z } from "zod";
import { compileSchema, describeIssues, validationError } from "../../src/platform/http/schemas.ts";

/** What is wrong with `input` as a body. */
async function detailsOf(schema: z.ZodType, input: unknown): Promise<[string, string][]> {
  const result = await compileSchema(schema).safeParse(input);
  return describeIssues("body", result.error?.issues ?? [], input).map(({ field, message }) => [
    field,
    message,
  ]);
}

describe("a compiled schema", () => {
  test("checks at once", () => {
    const schema = compileSchema(z.object({ a: z.coerce.number() }));
    expect(schema.safeParse({ a: "1" })).toEqual({ success: true, data: { a: 1 } });
    expect(schema.safeParse({})).toMatchObject({ success: false });
  });

  const isFree = (name: string) => Promise.resolve(name !== "taken");
  test.each<[string, z.ZodType]>([
    ["an async function", z.object({ name: z.string().refine(async (name) => isFree(name)) })],
    [
      "a function that returns a promise",
      z.object({ name: z.string().refine((name) => isFree(name)) }),
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
    const compiled = compileSchema(schema);
    for (let round = 0; round < 2; round++) {
      expect(await compiled.safeParse({ name: "new" })).toMatchObject({ success: true });
      expect(await compiled.safeParse({ name: "taken" })).toMatchObject({ success: false });
    }
  });

  test("asks an async function once per value", async () => {
    let calls = 0;
    const compiled = compileSchema(z.string().refine(async () => ++calls > 0));
    await compiled.safeParse("a");
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
    const result = compileSchema(tree).safeParse(deep);
    if (result instanceof Promise || result.success) throw new Error("not refused");
    expect(describeIssues("body", result.error.issues, deep)).toEqual([
      { field: "body", message: "Nested too deeply" },
    ]);
  });

  test("lets other errors of a schema through", () => {
    const broken = z.string().transform((text) => new Date(text).toISOString());
    expect(() => compileSchema(broken).safeParse("no date")).toThrow(RangeError);
  });
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
  ])("is required: %s", async (_type, value) => {
    expect(await detailsOf(z.object({ value }), {})).toEqual([["body.value", "Field required"]]);
  });

  test("can be the whole body, or deep in it", async () => {
    expect(await detailsOf(z.object({}), undefined)).toEqual([["body", "Field required"]]);
    const schema = z.object({ items: z.array(z.object({ price: z.string() })) });
    expect(await detailsOf(schema, { items: [{ price: "1" }, {}] })).toEqual([
      ["body.items.1.price", "Field required"],
    ]);
  });

  test("is told whatever language zod speaks, and keeps a text of the schema's own", async () => {
    const schema = z.object({ plain: z.string(), own: z.string("Say who you are") });
    const { localeError } = z.config();
    z.config(z.locales.de());
    try {
      expect(await detailsOf(schema, {})).toEqual([
        ["body.plain", "Field required"],
        ["body.own", "Say who you are"],
      ]);
    } finally {
      z.config({ localeError });
    }
  });

  test("is not one that is there", async () => {
    expect(await detailsOf(z.object({ value: z.string() }), { value: null })).toEqual([
      ["body.value", "Invalid input: expected string, received null"],
    ]);
    const schema = z.string("received undefined");
    expect(await detailsOf(z.object({ value: schema }), { value: 1 })).toEqual([
      ["body.value", "received undefined"],
    ]);
    const refined = z
      .object({ a: z.string().optional() })
      .refine(() => false, { path: ["a"], error: "a or b" });
    expect(await detailsOf(refined, {})).toEqual([["body.a", "a or b"]]);
  });
});

describe("a union", () => {
  test("says each branch's reason", async () => {
    const value = z.union([z.string(), z.object({ cents: z.int(), currency: z.string() })]);
    expect(await detailsOf(z.object({ value }), { value: { cents: 1.5 } })).toEqual([
      ["body.value", "option 1: Invalid input: expected string, received object"],
      ["body.value.cents", "option 2: Invalid input: expected int, received number"],
      ["body.value.currency", "option 2: Field required"],
    ]);
  });

  test("within a union says both", async () => {
    const value = z.union([z.string(), z.array(z.union([z.int(), z.boolean()]))]);
    expect(await detailsOf(z.object({ value }), { value: ["a"] })).toEqual([
      ["body.value", "option 1: Invalid input: expected string, received array"],
      ["body.value.0", "option 2: option 1: Invalid input: expected number, received string"],
      ["body.value.0", "option 2: option 2: Invalid input: expected boolean, received string"],
    ]);
  });

  test("says which discriminators there are", async () => {
    const value = z.discriminatedUnion("type", [
      z.object({ type: z.literal("a") }),
      z.object({ type: z.literal("b") }),
    ]);
    const [field, message] = (await detailsOf(z.object({ value }), { value: { type: "c" } }))[0]!;
    expect(field).toBe("body.value.type");
    expect(message).toMatch(/'a' \| 'b'/);
  });

  test("nested ever deeper ends", async () => {
    const nested: z.ZodType = z.union([z.string(), z.object({ inner: z.lazy(() => nested) })]);
    let input: unknown = 1;
    for (let depth = 0; depth < 500; depth++) input = { inner: input };
    const details = await detailsOf(nested, input);
    expect(details.length).toBeLessThanOrEqual(20);
    for (const [field, message] of details) {
      expect(field.length).toBeLessThanOrEqual(200);
      expect(message.length).toBeLessThanOrEqual(200);
    }
  });
});

test("the key of a record says why it is refused", async () => {
  const schema = z.record(z.string().max(2), z.int());
  expect(await detailsOf(schema, { abc: 1 })).toEqual([
    ["body.abc", "Too big: expected string to have <=2 characters"],
  ]);
});

describe("the size of what is said", () => {
  const items = Array.from({ length: 1_000 }, () => ({}));
  const schema = z.array(z.object({ name: z.string(), price: z.string() }));

  test("is at most 20 details", async () => {
    const details = await detailsOf(schema, items);
    expect(details).toHaveLength(20);
    expect(details[0]).toEqual(["body.0.name", "Field required"]);
    expect(details.at(-1)).toEqual(["body", "and 1981 more"]);
    expect(await detailsOf(schema, items.slice(0, 10))).toHaveLength(20);
    expect((await detailsOf(schema, items.slice(0, 10))).at(-1)?.[1]).toBe("Field required");
  });

  test("is at most 20 details for all parts together", async () => {
    const result = await compileSchema(schema).safeParse(items);
    const issues = result.error?.issues ?? [];
    const { code, details = [] } = validationError([
      { part: "query", issues, input: items },
      { part: "body", issues, input: items },
    ]);
    expect(code).toBe("VALIDATION_ERROR");
    expect(details).toHaveLength(20);
    expect(details.at(-1)).toEqual({ field: "body", message: "and 3981 more" });
  });

  test("is at most 200 characters a text", async () => {
    const key = "😀".repeat(10_000);
    const record = z.record(z.string(), z.int());
    const [field, message] = (await detailsOf(record, { [key]: "a" }))[0]!;
    expect(field).toHaveLength(200);
    expect(field.isWellFormed()).toBe(true);
    expect(field.endsWith("…")).toBe(true);
    expect(message).toBe("Invalid input: expected number, received string");
    const [, unknown] = (await detailsOf(z.strictObject({}), { [key]: 1 }))[0]!;
    expect(unknown).toHaveLength(200);
  });
});
