import type { KafkaPort, KafkaRecord, Membership, OutgoingRecord } from "./port.ts";

/** A broker in memory, with two partitions a topic: keys that begin with a digit go to the one, all others to the other. */
export class MemoryBroker implements KafkaPort {
  /** Every record of every topic, in order. */
  readonly records: KafkaRecord[] = [];
  /** What each group has committed, as `group/topic/partition`: the offset of the next record. */
  readonly committed = new Map<string, bigint>();
  /** Every batch that was sent, by its size. */
  readonly sends: number[] = [];
  /** Calls made on memberships. */
  readonly calls: string[] = [];
  /** Topics that refuse records; `*` is the broker itself, which then refuses everything. */
  readonly down = new Set<string>();
  /** Topics that say nothing to records. */
  readonly silent = new Set<string>();
  /** How many records were read. */
  given = 0;
  /** What a commit waits for. */
  onCommit: (abandon: AbortSignal) => Promise<void> = async () => {};
  readonly #members = new Set<MemoryMembership>();

  async send(records: readonly OutgoingRecord[]): Promise<void> {
    this.sends.push(records.length);
    for (const { topic } of records) {
      this.refuseWhenDown(topic);
      if (topic !== records[0]!.topic) throw new Error("a batch is for one topic");
      if (this.silent.has(topic)) await new Promise(() => {});
    }
    for (const record of records) this.append(record);
  }

  /** Puts a record into a topic, whatever is in it. */
  append(record: OutgoingRecord & { timestamp?: bigint }): void {
    const { topic, key, value, headers, timestamp = BigInt(Date.now()) } = record;
    const partition = /^\d/.test(key?.toString() ?? "") ? 0 : 1;
    this.records.push({
      topic,
      partition,
      offset: BigInt(this.of(topic, partition).length),
      timestamp,
      key,
      value,
      headerEntries: headers.map(([name, text]) => [
        Buffer.from(name as string),
        text === undefined ? undefined : Buffer.from(text as string),
      ]),
    });
    for (const member of this.#members) member.wake();
  }

  of(topic: string, partition?: number): KafkaRecord[] {
    return this.records.filter(
      (record) =>
        record.topic === topic && (partition === undefined || record.partition === partition),
    );
  }

  async join(group: string, topic: string, signal: AbortSignal): Promise<Membership> {
    signal.throwIfAborted();
    this.refuseWhenDown();
    const member = new MemoryMembership(this, group, topic);
    this.#members.add(member);
    return member;
  }

  /** As when another member comes or goes. @param owned what the members have from now on. */
  rebalance(owned = [0, 1]): void {
    for (const member of this.#members) member.rebalance(owned);
  }

  async check(topic: string): Promise<void> {
    this.refuseWhenDown(topic);
  }

  async close(): Promise<void> {}

  refuseWhenDown(topic = "*"): void {
    if (this.down.has("*") || this.down.has(topic)) throw new Error(`${topic} is down`);
  }

  forget(member: MemoryMembership): void {
    this.#members.delete(member);
  }
}

class MemoryMembership implements Membership {
  readonly #broker: MemoryBroker;
  readonly #group: string;
  readonly #topic: string;
  #owned = [0, 1];
  #positions: bigint[] = [];
  #rebalanced = false;
  #wake: () => void = () => {};

  constructor(broker: MemoryBroker, group: string, topic: string) {
    this.#broker = broker;
    this.#group = group;
    this.#topic = topic;
    this.#seek();
  }

  async read(max: number, waitMs: number): Promise<KafkaRecord[] | "rebalanced"> {
    if (this.#waiting().length === 0 && !this.#rebalanced) await this.#change(waitMs);
    this.#broker.refuseWhenDown();
    if (this.#rebalanced) {
      this.#rebalanced = false;
      this.#seek();
      return "rebalanced";
    }
    const records = this.#waiting().slice(0, max);
    this.#broker.given += records.length;
    for (const { partition, offset } of records) this.#positions[partition] = offset + 1n;
    return records;
  }

  wake(): void {
    this.#wake();
  }

  rebalance(owned: number[]): void {
    this.#owned = owned;
    this.#rebalanced = true;
    this.#wake();
  }

  async commit(last: readonly KafkaRecord[], abandon: AbortSignal): Promise<void> {
    abandon.throwIfAborted();
    await this.#broker.onCommit(abandon);
    const owned = last.filter(({ partition }) => this.#owned.includes(partition));
    this.#broker.calls.push(`commit ${owned.map(({ offset }) => offset).join(" ")}`);
    for (const { partition, offset } of owned) {
      this.#broker.committed.set(this.#place(partition), offset + 1n);
    }
  }

  async rewind(): Promise<boolean> {
    this.#broker.calls.push("rewind");
    this.#seek();
    const moved = this.#rebalanced;
    this.#rebalanced = false;
    return moved;
  }

  async lag(): Promise<Map<number, number>> {
    return new Map(
      [0, 1].map((partition) => {
        const committed = this.#broker.committed.get(this.#place(partition)) ?? 0n;
        return [partition, this.#broker.of(this.#topic, partition).length - Number(committed)];
      }),
    );
  }

  async leave(): Promise<void> {
    this.#broker.calls.push("leave");
    this.#broker.forget(this);
  }

  #place(partition: number): string {
    return `${this.#group}/${this.#topic}/${partition}`;
  }

  #seek(): void {
    this.#positions = [0, 1].map((at) => this.#broker.committed.get(this.#place(at)) ?? 0n);
  }

  #waiting(): KafkaRecord[] {
    return this.#broker
      .of(this.#topic)
      .filter(
        ({ partition, offset }) =>
          this.#owned.includes(partition) && offset >= this.#positions[partition]!,
      );
  }

  async #change(waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, waitMs);
    await promise;
    clearTimeout(timer);
  }
}
