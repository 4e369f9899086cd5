import type { GroupOptions } from "@platformatic/kafka";

type Assigner = NonNullable<GroupOptions["partitionAssigner"]>;

/**
 * The strategies that this member offers. The group takes one that all its members know: Java and librdkafka offer
 * range by default, aiokafka round-robin. Cooperative-sticky is last, for groups that use nothing else.
 */
export const PROTOCOLS = ["range", "roundrobin", "cooperative-sticky"].map((name) => ({
  name,
  version: 3,
}));

/** What the leader of a group has last assigned: the number of partitions by topic. */
export type PartitionCounts = Map<string, number>;

/**
 * The assignment that this member computes when it leads the group. Members accept any, whatever the strategy's name,
 * as long as they get only topics that they have subscribed to. So one does for all: partitions stay where they are as
 * far as that is fair, and move only once their owner has released them.
 * @param sticky the library's assigner. By itself it looks at the leader's own topics only.
 */
export function assignBySubscription(sticky: Assigner, counts: PartitionCounts): Assigner {
  return (leader, members, _ownTopics, metadata) => {
    const topics = new Set(Array.from(members.values(), (member) => member.topics ?? []).flat());
    counts.clear();
    for (const topic of topics) counts.set(topic, metadata.topics.get(topic)?.partitionsCount ?? 0);
    return sticky(leader, members, topics, metadata);
  };
}
