import type { Consumer } from "@platformatic/kafka";

/** What a broker answers to a fetch; the library does not export these types by themselves. */
export type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;

type Fetched = FetchResponse["responses"][number]["partitions"][number];

/** Records that were written, and perhaps compressed, together. */
export type RecordsBatch = NonNullable<Fetched["records"]>[number];

/** One partition in the answer to a fetch. */
export type FetchedPartition = Fetched;
