import type {
  KafkaPort,
  KafkaRecord,
  Membership,
  OutgoingRecord,
} from "../../../src/platform/kafka/port.ts";

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
  readonly #members = new Set<MemoryMembership>();

  async send(records: readonly OutgoingRecord[]): Promise<void> {
    this.sends.push(records.length);
    for (const { topic } of records) this.refuseWhenDown(topic);
    for (const record of records) this.append(record);
  }

  /** Puts a record into a topic, whatever is in it. */
  append({ topic, key, value, headers }: OutgoingRecord): void {
    const partition = /^\d/.test(key?.toString() ?? "") ? 0 : 1;
    this.records.push({
      topic,
      partition,
      offset: BigInt(this.of(topic, partition).length),
      timestamp: BigInt(Date.now()),
      key,
      value,
      headerEntries: Array.from(headers, ([name, text]) => [
        Buffer.from(name),
        Buffer.from(text as string),
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

  /** As when another member comes or goes. */
  rebalance(): void {
    for (const member of this.#members) member.rebalance();
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
    for (const { partition, offset } of records) this.#positions[partition] = offset + 1n;
    return records;
  }

  wake(): void {
    this.#wake();
  }

  rebalance(): void {
    this.#rebalanced = true;
    this.#wake();
  }

  async commit(last: readonly KafkaRecord[]): Promise<void> {
    this.#broker.calls.push(`commit ${last.map(({ offset }) => offset).join(" ")}`);
    for (const { partition, offset } of last) {
      this.#broker.committed.set(this.#place(partition), offset + 1n);
    }
  }

  async rewind(): Promise<void> {
    this.#broker.calls.push("rewind");
    this.#seek();
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
      .filter(({ partition, offset }) => offset >= (this.#positions[partition] ?? 0n));
  }

  async #change(waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, waitMs);
    await promise;
    clearTimeout(timer);
  }
}
