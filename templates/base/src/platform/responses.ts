import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import type { z } from "zod";

type Chunk = string | Uint8Array;

/** A stream of an answer: Node's, the web's, or anything that can be looped over with `for await`. */
export type Source = Readable | ReadableStream<Chunk> | AsyncIterable<Chunk>;

/** An answer that is not JSON, declared in a route's `responses` in the place of a schema. */
export class Content<Value = unknown> {
  /** Keeps the type of what a handler gives. */
  declare readonly value: Value;
  readonly kind: "text" | "bytes" | "stream" | "events" | "file" | "empty";
  readonly contentType: string;
  readonly schema: z.ZodType | undefined;
  /** Seconds of silence after which an event stream sends a comment, so that no proxy hangs up. */
  readonly heartbeat: number;

  constructor(
    kind: Content["kind"],
    contentType: string,
    { schema, heartbeat = 15 }: { schema?: z.ZodType; heartbeat?: number } = {},
  ) {
    this.kind = kind;
    this.contentType = contentType;
    this.schema = schema;
    this.heartbeat = heartbeat;
  }
}

/** Text, such as `text("text/csv")`. UTF-8, unless the type names another charset. */
export function text(contentType = "text/plain"): Content<string> {
  const type = contentType.includes("charset=") ? contentType : `${contentType}; charset=utf-8`;
  return new Content("text", type);
}

/** Bytes in memory, such as `bytes("image/png")`. */
export function bytes(contentType = "application/octet-stream"): Content<Uint8Array> {
  return new Content("bytes", contentType);
}

/** Bytes as they come; the handler's stream is read only as fast as the client takes it. */
export function stream(contentType = "application/octet-stream"): Content<Source> {
  return new Content("stream", contentType);
}

/** A file of the disk, by its path, with ranges, ETag and Last-Modified; the type comes from the file's name. */
export function file(contentType = ""): Content<string> {
  return new Content("file", contentType);
}

/** No body: for 204, 304 and redirects. */
export function empty(): Content<undefined> {
  return new Content("empty", "");
}

export interface ServerEvent<Data = unknown> {
  /** Comes back as the header Last-Event-ID when the client connects again. */
  id?: string;
  /** The name of the event; "message" to the client when left out. */
  event?: string;
  /** Sent as JSON; a string as it is when the route declares no schema. */
  data: Data;
  retry?: number;
}

/**
 * Server-sent events: the handler gives an async generator of them. It ends when the client goes away or the service
 * stops; then the client connects again, with the last id in the header Last-Event-ID.
 * @param schema checks the data of each event.
 * @param options.heartbeat seconds of silence after which a comment is sent; 15 when left out.
 */
export function events<Schema extends z.ZodType = z.ZodType>(
  schema?: Schema,
  options: { heartbeat?: number } = {},
): Content<AsyncIterable<ServerEvent<z.input<Schema>>>> {
  return new Content("events", "text/event-stream", { ...options, ...(schema && { schema }) });
}

/**
 * The stream of an answer, ready to be piped.
 * @throws {Error} when it is over already: whoever waited for its events would do so for ever.
 */
export function toReadable(source: Source): Readable {
  if (source instanceof Readable) {
    if (source.errored !== null) throw source.errored;
    if (source.destroyed || source.readableEnded) throw new Error("the stream was over already");
    // One of objects may give what cannot be sent: through another it fails as any stream does.
    if (!source.readableObjectMode) return source;
  }
  return Readable.from(source as AsyncIterable<Chunk>, { objectMode: false });
}

/**
 * Server-sent events as text. They are asked for only as fast as the client takes them.
 * @param draining aborted when the service stops; then the stream ends after the last whole event.
 */
export function eventStream(
  source: AsyncIterable<ServerEvent>,
  { schema, heartbeat }: Content,
  draining: AbortSignal,
): Readable {
  const given = source[Symbol.asyncIterator]();
  const over = { done: true, value: undefined } as const;
  const texts: AsyncIterator<string> = {
    async next() {
      const { done, value } = await given.next();
      if (done === true || (draining.aborted && !readable.destroyed)) return over;
      silence.refresh();
      return { value: encodeEvent(value, schema) };
    },
    // The stream is closed when this is done: until then the generator may use what the request has.
    async return() {
      clearTimeout(silence);
      draining.removeEventListener("abort", end);
      try {
        // A generator that waits cannot be ended before it goes on; its signal tells it.
        await given.return?.();
      } catch {
        // Nobody waits for its events any longer.
      }
      return over;
    },
  };
  const readable = Readable.from({ [Symbol.asyncIterator]: () => texts }, { objectMode: false });
  const end = (): void => void readable.push(null);
  const beat = (): void => {
    // Events that still wait in the buffer keep the connection alive, too.
    if (readable.readableLength === 0) readable.push(": heartbeat\n\n");
    silence.refresh();
  };
  const silence = setTimeout(beat, heartbeat * 1_000).unref();
  draining.addEventListener("abort", end);
  // At once, so that the client knows that it is connected.
  readable.push(": connected\n\n");
  if (draining.aborted) end();
  return readable;
}

function encodeEvent(
  { id, event, data, retry }: ServerEvent,
  schema: z.ZodType | undefined,
): string {
  const checked: unknown = schema === undefined ? data : schema.parse(data);
  const body =
    schema === undefined && typeof checked === "string" ? checked : JSON.stringify(checked);
  const lines = body.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return (
    (id === undefined ? "" : `id: ${oneLine(id)}\n`) +
    (event === undefined ? "" : `event: ${oneLine(event)}\n`) +
    (retry === undefined ? "" : `retry: ${Math.trunc(retry)}\n`) +
    `${lines.join("")}\n`
  );
}

// A line break in them would begin another field.
function oneLine(value: string): string {
  return value.replaceAll(/[\r\n\0]/g, " ");
}
