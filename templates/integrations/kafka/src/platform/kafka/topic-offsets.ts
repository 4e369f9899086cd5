import type { Consumer } from "@platformatic/kafka";

export const LATEST = -1n;
export const EARLIEST = -2n;

/** Asks brokers for offsets of a topic; the answers are by partition. */
export class TopicOffsets {
  readonly #client: Consumer;
  readonly #topic: string;

  constructor(client: Consumer, topic: string) {
    this.#client = client;
    this.#topic = topic;
  }

  /** What the client's group has committed; -1 for nothing. */
  async committed(partitions: number[]): Promise<bigint[]> {
    const topic = this.#topic;
    const found = await this.#client.listCommittedOffsets({ topics: [{ topic, partitions }] });
    return found.get(topic) ?? [];
  }

  async at(timestamp: bigint): Promise<bigint[]> {
    const found = await this.#client.listOffsets({ topics: [this.#topic], timestamp });
    return found.get(this.#topic) ?? [];
  }

  /** Records that the group has not committed: never negative, and none of those that retention has deleted. */
  async lag(): Promise<ReadonlyMap<number, number>> {
    const [ends, starts] = await Promise.all([this.at(LATEST), this.at(EARLIEST)]);
    const partitions = Array.from(ends.keys());
    const committed = await this.committed(partitions);
    return new Map(
      partitions.map((partition) => {
        const start = starts[partition] ?? 0n;
        const next = committed[partition] ?? -1n;
        const waiting = ends[partition]! - (next > start ? next : start);
        return [partition, waiting > 0n ? Number(waiting) : 0];
      }),
    );
  }
}
