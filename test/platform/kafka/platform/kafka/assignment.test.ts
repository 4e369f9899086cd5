import { cooperativeStickyAssigner } from "@platformatic/kafka";
import { expect, test } from "vitest";
import { assignBySubscription } from "../../../src/platform/kafka/assignment.ts";

const topics = new Map(
  Object.entries({ orders: 6, receipts: 3 }).map(([name, partitionsCount]) => [
    name,
    { id: name, partitionsCount, partitions: [], lastUpdate: 0 },
  ]),
);
const metadata = { id: "", brokers: new Map(), topics, lastUpdate: 0, controllerId: 1 };

function assign(subscriptions: Record<string, string[]>, owned: Record<string, number[]> = {}) {
  const counts = new Map<string, number>();
  const assigner = assignBySubscription(cooperativeStickyAssigner, counts);
  const members = new Map(
    Object.entries(subscriptions).map(([memberId, names]) => [
      memberId,
      {
        memberId,
        version: 3,
        topics: names,
        generationId: 1,
        ownedPartitions: names.flatMap((topic) =>
          owned[memberId] === undefined ? [] : [{ topic, partitions: owned[memberId] }],
        ),
      },
    ]),
  );
  const [leader = ""] = members.keys();
  const assigned = assigner(leader, members, new Set(subscriptions[leader]), metadata);
  const result = Object.fromEntries(
    assigned.map(({ memberId, assignments }) => [
      memberId,
      Array.from(assignments.values(), ({ topic, partitions }) => `${topic} ${partitions.join()}`),
    ]),
  );
  return { result, counts: Object.fromEntries(counts) };
}

test("members get partitions of their own topics only, also when the leader has another", () => {
  const { result, counts } = assign({ a: ["orders"], b: ["receipts"], c: ["orders"] });
  expect(result["b"]).toEqual(["receipts 0,1,2"]);
  const orders = [...result["a"]!, ...result["c"]!].join(",").match(/\d/g);
  expect(orders?.toSorted()).toEqual(["0", "1", "2", "3", "4", "5"]);
  expect(counts).toEqual({ orders: 6, receipts: 3 });
});

test("every partition has one owner, and shares are fair", () => {
  const { result } = assign({ a: ["orders"], b: ["orders"] });
  expect(Object.values(result).map(([text]) => text?.match(/\d/g)?.length)).toEqual([3, 3]);
});

test("what another member still owns is only taken from it first", () => {
  const { result } = assign({ a: ["orders"], b: ["orders"] }, { a: [0, 1, 2, 3, 4, 5] });
  expect(result["a"]?.[0]?.match(/\d/g)).toHaveLength(3);
  expect(result["b"]).toEqual([]);
});
