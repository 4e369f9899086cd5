import type * as kafka from "@platformatic/kafka";
import type { Consumer } from "@platformatic/kafka";

/** @platformatic/kafka, which is loaded when it is needed. */
export type Library = typeof kafka;

/** What a broker answers to a fetch; the library does not export these types by themselves. */
export type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;

/** One partition in the answer to a fetch. */
export type FetchedPartition = FetchResponse["responses"][number]["partitions"][number];

/** Records that were written, and perhaps compressed, together. */
export type RecordsBatch = NonNullable<FetchedPartition["records"]>[number];

/** Whether a broker's error, or one of those in it, has this name in the protocol. */
export function isError({ findErrorBy }: Library, error: Error, ...names: string[]): boolean {
  return names.some((name) => findErrorBy(error, "apiId", name) !== null);
}

/** The error, or in its place one that says that the topic does not exist. */
export function explainTopic(library: Library, topic: string, cause: Error): Error {
  // For metadata the library puts an error of its own into the place of the broker's.
  const isUnknown = cause.message === `Unknown topic ${topic}.`;
  if (!isUnknown && !isError(library, cause, "UNKNOWN_TOPIC_OR_PARTITION")) return cause;
  return new Error(`the topic ${topic} does not exist`, { cause });
}
