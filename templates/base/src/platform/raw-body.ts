import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { bodyOfOtherType, bodyTooLarge } from "./http/refusals.ts";

export interface RawBodyOptions {
  /** In bytes. */
  limit: number;
  /** Media types without parameters, such as `image/png`. */
  contentTypes: string[];
}

/** What a route declares as its `body` when it takes bytes, however many, and no JSON. */
export class RawBody {
  readonly limit: number;
  readonly contentTypes: readonly string[];

  constructor({ limit, contentTypes }: RawBodyOptions) {
    this.limit = limit;
    this.contentTypes = contentTypes;
  }

  /** @throws {AppError} when the headers alone say that the body is not wanted. */
  open(request: IncomingMessage): BodyStream {
    const { "content-type": type = "", "content-length": length = "0" } = request.headers;
    const mediaType = type.split(";", 1)[0]!.trim().toLowerCase();
    const encoded = (request.headers["content-encoding"] ?? "identity") !== "identity";
    if (encoded || !this.contentTypes.includes(mediaType)) throw bodyOfOtherType(this.contentTypes);
    if (Number(length) > this.limit) throw bodyTooLarge(this.limit);
    return new BodyStream(request, mediaType, this.limit);
  }
}

/** Declares a body that the handler reads as a stream: it is never held in memory as a whole. */
export function rawBody(options: RawBodyOptions): RawBody {
  return new RawBody(options);
}

/**
 * The bytes of a request, read from the client only as fast as the handler takes them. It breaks off with an error
 * when there are more than the limit, or when the client goes away.
 */
export class BodyStream extends Readable {
  readonly contentType: string;
  readonly #request: IncomingMessage;
  readonly #limit: number;
  #received = 0;
  #started = false;

  constructor(request: IncomingMessage, contentType: string, limit: number) {
    super();
    this.contentType = contentType;
    this.#request = request;
    this.#limit = limit;
    // Readers get the error. Without this listener, an error before the first read would crash the worker.
    this.on("error", () => {});
  }

  // Nothing happens before the handler reads, so that the platform can drop a body that it never wanted.
  override _read(): void {
    if (this.#started) return void this.#request.resume();
    this.#started = true;
    if (this.#request.destroyed) return this.#onClose();
    this.#request.on("data", this.#onData).on("end", this.#onEnd);
    this.#request.on("error", this.#onClose).on("close", this.#onClose);
  }

  // The request itself lives on: it carries the answer's connection.
  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#request.off("data", this.#onData).off("end", this.#onEnd);
    this.#request.off("error", this.#onClose).off("close", this.#onClose);
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length;
    if (this.#received > this.#limit) this.destroy(bodyTooLarge(this.#limit));
    else if (!this.push(chunk)) this.#request.pause();
  };

  readonly #onEnd = (): void => void this.push(null);

  readonly #onClose = (): void => {
    if (!this.#request.readableEnded) this.destroy(new Error("the client went away"));
  };
}
