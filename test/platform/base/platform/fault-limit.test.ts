import { describe, expect, test } from "vitest";
import { z } from "zod";
import { compileSchema } from "../../src/platform/http/schemas.ts";

const item = z.object({ a: z.string(), b: z.int(), c: z.string() });
const COUNT = 100_000;
const list = (value: unknown): unknown[] => Array.from({ length: COUNT }, () => value);
const record = (value: unknown): object =>
  Object.fromEntries(list(value).map((each, index) => [`k${index}`, each]));

/** Counts how many values a schema has looked at. */
function counting(): { schema: z.ZodType; looks: () => number } {
  let count = 0;
  const schema = z.string().refine(() => {
    count += 1;
    return false;
  });
  return { schema, looks: () => count };
}

async function faultsOf(schema: z.ZodType, input: unknown): Promise<z.core.$ZodIssue[]> {
  const { error } = await compileSchema(schema)(input);
  expect(error).toBeDefined();
  return error!.issues;
}

interface Tree {
  name: string;
  children: Tree[];
}
const tree: z.ZodType<Tree> = z.lazy(() =>
  z.object({ name: z.string().min(3), children: z.array(tree) }),
);

const treeByGetter = z.object({
  name: z.string().min(3),
  get children() {
    return z.array(treeByGetter);
  },
});

describe("no schema goes on after some faults:", () => {
  test.each<[string, z.ZodType, unknown]>([
    ["a list", z.array(item), list({})],
    ["a list in a list", z.array(z.array(item)), list([{}, {}])],
    ["lists four deep", nest(z.array(item), 3), nestList(4, 17)],
    ["a list of texts that are too short", z.array(z.string().min(5)), list("")],
    [
      "a list with a check of its own",
      z
        .array(item)
        .min(200_000)
        .refine(() => false),
      list({}),
    ],
    [
      "an optional list in an object",
      z.object({ items: z.array(item).optional() }),
      { items: list({}) },
    ],
    ["a list with a default", z.array(item).default([]), list({})],
    ["a record", z.record(z.string(), item), record({})],
    ["a record of bad names", z.record(z.string().max(1), z.int()), record(1)],
    ["an object with others", z.object({ a: z.string() }).catchall(item), { a: "", ...record({}) }],
    ["a tuple with a rest", z.tuple([z.string()], item), ["a", ...list({})]],
    ["a tree", tree, { name: "root", children: list({ name: "", children: [] }) }],
    ["a tree by a getter", treeByGetter, { name: "", children: list({ name: "", children: [] }) }],
    ["a union", z.array(z.union([item, z.int()])), list({})],
    ["an intersection", z.intersection(z.array(item), z.array(z.unknown())), list({})],
    ["a pipe", z.array(item).pipe(z.transform((all) => all)), list({})],
    [
      "JSON after a text",
      z.preprocess((text) => JSON.parse(String(text)), z.array(item)),
      JSON.stringify(list({})),
    ],
    ["a list that waits", z.array(z.string().refine(async () => false)), list("")],
    [
      "a record that waits",
      z.record(
        z.string(),
        z.string().refine(async () => false),
      ),
      record(""),
    ],
  ])("%s", async (_name, schema, input) => {
    const faults = await faultsOf(schema, input);
    expect(faults.length).toBeLessThan(100);
  });

  test("and it does not look at the rest", async () => {
    const { schema, looks } = counting();
    await faultsOf(z.array(schema), list(""));
    // Twice as many: compiled, and again to say what is wrong.
    expect(looks()).toBeLessThan(50);
  });

  test("nor do its own checks look at a value that is not complete", async () => {
    const seen: unknown[] = [];
    const schema = z.array(z.string().min(1)).refine((all) => seen.push(all) === 0);
    const faults = await faultsOf(schema, list(""));
    expect(seen).toEqual([]);
    expect(new Set(faults.map(({ code }) => code))).toEqual(new Set(["too_small"]));
  });
});

function nest(schema: z.ZodType, depth: number): z.ZodType {
  return depth === 0 ? schema : nest(z.array(schema), depth - 1);
}

function nestList(depth: number, count: number): unknown {
  return depth === 0 ? {} : Array.from({ length: count }, () => nestList(depth - 1, count));
}

describe("what is valid stays as zod makes it:", () => {
  const upper = z.string().transform((text) => text.toUpperCase());
  const later = z.string().transform(async (text) => text.toUpperCase());
  const cases: [string, () => z.ZodType, unknown][] = [
    ["a list", () => z.array(z.lazy(() => upper)), ["a", "b"]],
    ["an empty list", () => z.array(z.lazy(() => upper)), []],
    ["a long list that waits", () => z.array(later), Array.from({ length: 1_001 }, () => "a")],
    [
      "a record",
      () =>
        z.record(
          upper,
          z.lazy(() => z.array(upper)),
        ),
      { a: ["b"], c: [] },
    ],
    ["a record of numbers", () => z.record(z.coerce.number(), later), { 1: "a" }],
    [
      "a record with all of its names",
      () => z.record(z.enum(["a", "b"]), later),
      { a: "a", b: "b" },
    ],
    [
      "others",
      () => z.object({ a: upper, b: z.string().default("c") }).catchall(later),
      { a: "a", x: "y" },
    ],
    ["a tuple", () => z.tuple([upper, z.int().optional()], later), ["a", 1, "b"]],
    ["a short tuple", () => z.tuple([upper, z.int().optional()], later), ["a"]],
    ["a tree", () => tree, { name: "root", children: [{ name: "leaf", children: [] }] }],
    ["JSON", () => z.json(), { a: [1, null, { b: ["c"] }] }],
    ["what a catch puts in", () => z.array(z.int()).catch([1]), list("a")],
    ["the other option", () => z.union([z.array(z.int()), z.array(upper)]), list("a")],
  ];

  test.each(cases)("%s", async (_name, make, input) => {
    const expected = await make().safeParseAsync(input);
    const result = await compileSchema(make())(input);
    expect(result.success).toBe(true);
    expect(result.data).toEqual(expected.data);
  });
});

test("names that one part of an intersection refuses are left to the other", async () => {
  const names = Array.from({ length: 30 }, (_, index) => `name${index}`);
  const named = z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
  const schema = z.intersection(z.record(z.string().regex(/^x-/), z.string()), named);
  const value = Object.fromEntries([...names, "x-other"].map((name) => [name, "a"]));
  expect(await compileSchema(schema)(value)).toEqual({ success: true, data: value });
  expect(await faultsOf(schema, { ...value, "x-other": 1 })).toMatchObject([
    { code: "invalid_type", path: ["x-other"] },
  ]);
});

test("the first faults are zod's own", async () => {
  const make = (): z.ZodType =>
    z.object({
      list: z.array(z.record(z.string().max(3), z.tuple([z.int()], z.string()))),
      others: z.object({ a: z.int() }).catchall(z.int()),
    });
  const input = { list: [{ long1: ["a", 1] }, { b: [1, "c", 2] }], others: { a: "", b: "" } };
  const expected = make().safeParse(input).error!.issues;
  expect(expected.length).toBe(4);
  expect(await faultsOf(make(), input)).toEqual(expected);
});
