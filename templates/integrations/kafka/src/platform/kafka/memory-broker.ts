import { abortable } from "../timing.ts";
import {
  type GroupReader,
  type JoinOptions,
  type KafkaPort,
  type KafkaRecord,
  type Membership,
  type OutgoingRecord,
  RecordTooLargeError,
} from "./port.ts";

export interface MemoryBrokerOptions {
  /** Of each topic; 2 when left out. */
  partitions?: number;
  /** The partition of a key; by its hash when left out. */
  partitionOf?: (key: string) => number;
  /** The largest value that a topic accepts; 1,048,576 bytes when left out. */
  maxValueBytes?: number;
}

/**
 * A broker in memory, for tests and for development without a server: topics with partitions and offsets, and consumer
 * groups that share the partitions among their members and remember what they have committed.
 */
export class MemoryBroker implements KafkaPort {
  /** Every record of every topic, in the order of arrival. */
  readonly records: KafkaRecord[] = [];
  /** What each group has committed, as `group/topic/partition`: the offset of the next record. */
  readonly committed = new Map<string, bigint>();
  /** Every batch that was sent, by its size. */
  readonly sends: number[] = [];
  /** Calls made on memberships. */
  readonly calls: string[] = [];
  /** Topics that refuse records; `*` is the broker itself, which then refuses everything. */
  readonly down = new Set<string>();
  /** Topics that never answer. */
  readonly silent = new Set<string>();
  /** What a commit waits for. */
  onCommit: (signal: AbortSignal) => Promise<void> = async () => {};
  readonly #partitions: number;
  readonly #partitionOf: (key: string) => number;
  readonly #maxValueBytes: number;
  readonly #logs = new Map<string, KafkaRecord[]>();
  readonly #members: MemoryMember[] = [];
  #turn = 0;

  constructor({
    partitions = 2,
    partitionOf = hash,
    maxValueBytes = 1_048_576,
  }: MemoryBrokerOptions = {}) {
    this.#partitions = partitions;
    this.#partitionOf = partitionOf;
    this.#maxValueBytes = maxValueBytes;
  }

  async send(records: readonly OutgoingRecord[]): Promise<void> {
    this.sends.push(records.length);
    for (const { topic, value } of records) {
      this.refuseWhenDown(topic);
      if (topic !== records[0]!.topic) throw new Error("a batch is for one topic");
      if (this.silent.has(topic)) await new Promise(() => {});
      if ((value?.length ?? 0) > this.#maxValueBytes) {
        throw new RecordTooLargeError(`larger than what ${topic} accepts`);
      }
    }
    for (const record of records) this.append(record);
  }

  /** Puts a record into a topic, whatever is in it. */
  append(record: OutgoingRecord & { timestamp?: bigint }): void {
    const { topic, key, value, headers, timestamp = BigInt(Date.now()) } = record;
    const chosen = key === undefined ? (this.#turn += 1) : this.#partitionOf(key.toString());
    const partition = chosen % this.#partitions;
    const log = this.of(topic, partition);
    const kept: KafkaRecord = {
      topic,
      partition,
      offset: BigInt(log.length),
      timestamp,
      key,
      value,
      headerEntries: headers.map(([name, text]) => [
        Buffer.from(name as string),
        text === undefined ? undefined : Buffer.from(text as string),
      ]),
    };
    log.push(kept);
    this.records.push(kept);
    for (const member of this.#members) member.wake();
  }

  /** The records of a topic, or of one of its partitions. */
  of(topic: string, partition?: number): KafkaRecord[] {
    if (partition === undefined) return this.records.filter((record) => record.topic === topic);
    const name = `${topic}/${partition}`;
    const log = this.#logs.get(name) ?? [];
    this.#logs.set(name, log);
    return log;
  }

  async join({ group, topic, signal }: JoinOptions, reader: GroupReader): Promise<Membership> {
    signal.throwIfAborted();
    this.refuseWhenDown();
    const member = new MemoryMember(this, group, topic, reader);
    this.#members.push(member);
    this.#share(group, topic);
    return member;
  }

  /** As when members come or go. @param owned what each member has from now on; a fair share when left out. */
  rebalance(owned?: readonly number[]): void {
    for (const member of this.#members) {
      if (owned === undefined) this.#share(member.group, member.topic);
      else member.assign(owned);
    }
  }

  async check(topic: string): Promise<void> {
    this.refuseWhenDown(topic);
  }

  async close(): Promise<void> {}

  refuseWhenDown(topic = "*"): void {
    if (this.down.has("*") || this.down.has(topic)) throw new Error(`${topic} is down`);
  }

  /** The partitions of each topic. */
  get partitions(): number[] {
    return Array.from({ length: this.#partitions }, (_, partition) => partition);
  }

  remove(member: MemoryMember): void {
    this.#members.splice(this.#members.indexOf(member), 1);
    this.#share(member.group, member.topic);
  }

  /** Gives every member of a group its share of the topic's partitions. */
  #share(group: string, topic: string): void {
    const members = this.#members.filter((one) => one.group === group && one.topic === topic);
    for (const [index, member] of members.entries()) {
      member.assign(this.partitions.filter((partition) => partition % members.length === index));
    }
  }
}

/** How many records a member gets at a time. */
const FETCH_RECORDS = 100;

class MemoryMember implements Membership {
  readonly group: string;
  readonly topic: string;
  readonly ended: Promise<never> = new Promise(() => {});
  readonly #broker: MemoryBroker;
  readonly #reader: GroupReader;
  readonly #positions = new Map<number, bigint>();
  readonly #paused = new Set<number>();
  #isScheduled = false;
  #left = false;

  constructor(broker: MemoryBroker, group: string, topic: string, reader: GroupReader) {
    this.#broker = broker;
    this.group = group;
    this.topic = topic;
    this.#reader = reader;
  }

  /** Changes the owned partitions. What is new begins at what the group has committed. */
  assign(owned: readonly number[]): void {
    const before = [...this.#positions.keys()];
    const revoked = before.filter((partition) => !owned.includes(partition));
    const assigned = owned.filter((partition) => !this.#positions.has(partition));
    for (const partition of revoked) this.#positions.delete(partition);
    for (const partition of assigned) {
      this.#positions.set(partition, this.#committed(partition));
      this.#paused.delete(partition);
    }
    this.#reader.onRebalance({ assigned, revoked, owned });
    this.wake();
  }

  /** Hands over what is new, soon. */
  wake(): void {
    if (this.#isScheduled || this.#left) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#read();
    });
  }

  pause(partition: number): void {
    this.#paused.add(partition);
  }

  resume(partition: number): void {
    this.#paused.delete(partition);
    this.wake();
  }

  async commit(offsets: ReadonlyMap<number, bigint>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await abortable(this.#broker.onCommit(signal), signal);
    this.#broker.refuseWhenDown();
    const owned = Array.from(offsets).filter(([partition]) => this.#positions.has(partition));
    this.#broker.calls.push(`commit ${owned.map((entry) => entry.join(":")).join(" ")}`);
    for (const [partition, offset] of owned) {
      this.#broker.committed.set(this.#place(partition), offset);
    }
  }

  async lag(): Promise<ReadonlyMap<number, number>> {
    return new Map(
      this.#broker.partitions.map((partition) => {
        const end = this.#broker.of(this.topic, partition).length;
        return [partition, end - Number(this.#committed(partition))];
      }),
    );
  }

  check(): void {
    this.#broker.refuseWhenDown();
  }

  async leave(): Promise<void> {
    this.#left = true;
    this.#broker.calls.push("leave");
    this.#broker.remove(this);
  }

  #read(): void {
    if (this.#left || this.#broker.down.has("*")) return;
    for (const [partition, position] of this.#positions) {
      if (this.#paused.has(partition)) continue;
      const log = this.#broker.of(this.topic, partition);
      const records = log.slice(Number(position), Number(position) + FETCH_RECORDS);
      if (records.length === 0) continue;
      const next = position + BigInt(records.length);
      this.#positions.set(partition, next);
      this.#reader.onRecords(partition, records, next);
      if (next < BigInt(log.length)) this.wake();
    }
  }

  #committed(partition: number): bigint {
    return this.#broker.committed.get(this.#place(partition)) ?? 0n;
  }

  #place(partition: number): string {
    return `${this.group}/${this.topic}/${partition}`;
  }
}

function hash(key: string): number {
  let value = 0;
  for (const byte of Buffer.from(key)) value = (value * 31 + byte) >>> 0;
  return value;
}
