import { compatibilityPartitioner } from "@platformatic/kafka";
import { expect, test } from "vitest";
import { roundRobin } from "../../../src/platform/kafka/platformatic.ts";

const partition = roundRobin(compatibilityPartitioner);

test("records without a key take turns", () => {
  const chosen = [1, 2, 3, 4, 5, 6].map(() => partition({ topic: "t" }, undefined) % 6);
  expect(chosen.toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
});

test("records with a key go where a Java client puts them", () => {
  // murmur2, without its sign: what Utils.murmur2 of Kafka's own tests gives for these.
  const keys = { "21": -973932308, foobar: -790332482, "a-little-bit-long-string": -985981536 };
  for (const [key, hash] of Object.entries(keys)) {
    expect(partition({ topic: "t" }, Buffer.from(key))).toBe(hash & 0x7fffffff);
  }
});
