import { expect, test } from "vitest";
import { z } from "zod";
import { keysWithoutText, queryCoercion } from "../../src/platform/http/params.ts";

/** What a schema sees of a property with this text. */
function seen(property: z.ZodType, value: unknown): unknown {
  const coerce = queryCoercion(z.object({ value: property }));
  return (coerce?.({ value }) ?? { value })["value"];
}

test.each<[string, z.ZodType, unknown, unknown]>([
  ["a list", z.array(z.string()), "a", ["a"]],
  ["a list already", z.array(z.string()), ["a", "b"], ["a", "b"]],
  ["an optional list", z.array(z.string()).optional(), "a", ["a"]],
  ["a list with a default", z.array(z.string()).default([]), "a", ["a"]],
  ["a list or nothing", z.array(z.string()).nullable(), "a", ["a"]],
  ["a list of numbers", z.array(z.int()), ["1", "x"], [1, "x"]],
  ["a list of one number", z.array(z.int()), "1", [1]],
  ["a list of lists", z.array(z.array(z.int())), "1", ["1"]],
  ["a whole number", z.int(), "-12", -12],
  ["a number", z.number(), "1.5e3", 1_500],
  ["a number or null", z.number().nullable(), "1", 1],
  ["a literal number", z.literal([1, 2]), "1", 1],
  ["no number", z.int(), "1x", "1x"],
  ["nothing as a number", z.int(), "", ""],
  ["hexadecimal", z.int(), "0x10", "0x10"],
  ["Infinity", z.number(), "Infinity", "Infinity"],
  ["two values for one", z.int(), ["1", "2"], ["1", "2"]],
  ["true", z.boolean(), "True", true],
  ["on", z.boolean(), "on", true],
  ["no", z.coerce.boolean(), "no", false],
  ["0", z.boolean(), "0", false],
  ["no boolean", z.boolean(), "maybe", "maybe"],
  ["a number or a boolean", z.union([z.boolean(), z.int()]), "1", 1],
  ["text", z.string(), "1", "1"],
  ["text or a number", z.union([z.int(), z.string()]), "1", "1"],
  ["text or a list", z.union([z.string(), z.array(z.string())]), "a", "a"],
  [
    "what converts itself",
    z.preprocess((text) => String(text).split(","), z.array(z.string())),
    "a,b",
    "a,b",
  ],
  ["text that becomes a list", z.string().transform((text) => text.split(",")), "a,b", "a,b"],
  ["a text boolean", z.stringbool(), "true", "true"],
  ["a day", z.date(), "2026-01-31", new Date("2026-01-31")],
  ["a time", z.date().optional(), "2026-01-31T12:00:00Z", new Date("2026-01-31T12:00:00Z")],
  ["a time of a zone", z.date(), "2026-01-31T12:00:00+02:00", new Date("2026-01-31T10:00:00Z")],
  ["no date", z.date(), "2026-02-31", "2026-02-31"],
  ["a date in another form", z.date(), "1.2.2026", "1.2.2026"],
  ["a list of dates", z.array(z.date()), "2026-01-31", [new Date("2026-01-31")]],
  ["a whole number of any size", z.bigint(), "-12345678901234567890", -12_345_678_901_234_567_890n],
  ["no bigint", z.bigint(), "1.5", "1.5"],
  ["a bigint that converts itself", z.coerce.bigint(), "1", "1"],
  ["a date that converts itself", z.coerce.date(), "2026-01-01", "2026-01-01"],
  ["anything", z.any(), "1", "1"],
])("%s", (_what, property, text, expected) => {
  expect(seen(property, text)).toEqual(expected);
});

test("a query without anything to convert costs nothing", () => {
  expect(
    queryCoercion(z.object({ name: z.string(), size: z.enum(["s", "m"]).optional() })),
  ).toBeUndefined();
  expect(queryCoercion(z.record(z.string(), z.string()))).toBeUndefined();
});

test("what is missing stays missing, what is not declared stays as it is", () => {
  const coerce = queryCoercion(z.looseObject({ tag: z.array(z.string()).optional() }));
  const query = { other: "1" };
  expect(coerce?.(query)).toEqual({ other: "1" });
  expect(query).toEqual({ other: "1" });
});

test("schemas with an id, references and intersections are looked into", () => {
  const tags = z.array(z.string()).meta({ id: "Tags" });
  const schema = z.intersection(
    z.object({ tags }).meta({ id: "Query" }),
    z.object({ size: z.int() }),
  );
  expect(queryCoercion(schema)?.({ tags: "a", size: "1" })).toEqual({ tags: ["a"], size: 1 });
});

test.each<[string, z.ZodType]>([
  ["an object", z.object({ from: z.int() })],
  ["an optional object", z.object({ from: z.int() }).optional()],
  ["a record", z.record(z.string(), z.string()).nullable()],
  ["a list of objects", z.array(z.object({}))],
  ["a list of lists", z.array(z.array(z.int()))],
  ["a map", z.map(z.string(), z.string())],
  ["a set", z.set(z.string())],
])("%s can never come from text", (_what, property) => {
  expect(keysWithoutText(z.object({ value: property, other: z.string() }))).toEqual(["value"]);
});

test.each<[string, z.ZodType]>([
  ["text or an object", z.union([z.string(), z.object({})])],
  ["an object that is made from text", z.preprocess(JSON.parse as never, z.object({}))],
  ["a codec", z.codec(z.string(), z.object({}), { decode: () => ({}), encode: String })],
  ["anything", z.unknown()],
  ["a check of its own", z.custom<Buffer>()],
  ["a list of anything", z.array(z.any())],
  ["a pair", z.tuple([z.string(), z.string()])],
])("%s can", (_what, property) => {
  expect(keysWithoutText(z.object({ value: property }))).toEqual([]);
});
