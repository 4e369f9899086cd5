import type { Admin } from "@platformatic/kafka";
import { connectionOptions, type KafkaSettings } from "./connection.ts";

/** Where a group can be moved: the beginning, the end, or the first record of a time or later. */
export type Position = "earliest" | "latest" | Date;

const TIMEOUT_MS = 5_000;
const SPECIAL = { latest: -1n, earliest: -2n } as const;

/** Runs `work` with an administrator's connection, which gives up soon: a person is waiting. */
export async function withAdmin<Result>(
  settings: KafkaSettings,
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const kafka = await import("@platformatic/kafka");
  const times = { retries: 3, timeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS };
  const admin = new kafka.Admin({ ...connectionOptions(settings), ...times });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

/** The offset of a position in each partition. */
export async function offsetsAt(
  admin: Admin,
  topic: string,
  position: Position,
): Promise<Map<number, bigint>> {
  const { topics } = await admin.metadata({ topics: [topic] });
  const count = topics.get(topic)?.partitionsCount ?? 0;
  const found = await list(admin, topic, count, position);
  // Without a record of that time or later: the end.
  if (![...found.values()].some((offset) => offset < 0n)) return found;
  const ends = await list(admin, topic, count, "latest");
  return new Map(Array.from(found, ([at, offset]) => [at, offset < 0n ? ends.get(at)! : offset]));
}

async function list(
  admin: Admin,
  topic: string,
  count: number,
  position: Position,
): Promise<Map<number, bigint>> {
  const timestamp = position instanceof Date ? BigInt(position.getTime()) : SPECIAL[position];
  const partitions = Array.from({ length: count }, (_, partitionIndex) => ({
    partitionIndex,
    timestamp,
  }));
  const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
  return new Map(listed?.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
}

/** What a group has committed, by partition. */
export async function committedOffsets(
  admin: Admin,
  group: string,
  topic: string,
): Promise<Map<number, bigint>> {
  const [found] = await admin.listConsumerGroupOffsets({ groups: [group] });
  const partitions = found?.topics.find(({ name }) => name === topic)?.partitions ?? [];
  return new Map(
    partitions
      .filter(({ committedOffset }) => committedOffset >= 0n)
      .map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]),
  );
}

/**
 * Commits for a group without members.
 * @throws when it has members: they would continue where they are, and commit over it.
 */
export async function moveGroup(
  admin: Admin,
  group: string,
  topic: string,
  offsets: Map<number, bigint>,
): Promise<void> {
  const members = (await admin.describeGroups({ groups: [group] })).get(group)?.members.size ?? 0;
  if (members > 0) throw new Error(`${group} has ${members} members: stop the service first`);
  const partitionOffsets = Array.from(offsets, ([partition, offset]) => ({ partition, offset }));
  await admin.alterConsumerGroupOffsets({
    groupId: group,
    topics: [{ name: topic, partitionOffsets }],
  });
}
