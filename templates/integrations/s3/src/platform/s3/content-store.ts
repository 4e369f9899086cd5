/** A stream of bytes and their type, such as the body of a request. */
export interface ContentBody extends AsyncIterable<Buffer> {
  contentType: string;
}

/** Bytes in the store, identified by their hash: equal bytes are stored once. */
export interface Content {
  /** 64 hex digits. */
  sha256: string;
  bytes: number;
  /** False when the same bytes were stored before. */
  created: boolean;
}

/** Where the bytes can be downloaded for a while, without the service. */
export interface PresignedUrl {
  url: string;
  /** ISO 8601 */
  expiresAt: string;
}

/** Stores bytes under their hash. Its methods throw OVERLOADED or EXTERNAL_SERVICE_ERROR when the store fails. */
export interface ContentStore {
  /**
   * Stores a stream without holding all of it in memory. When the stream breaks off, nothing of it stays.
   * @throws {AppError} VALIDATION_ERROR for an empty body, and the error that the stream breaks off with.
   */
  put(body: ContentBody, signal?: AbortSignal): Promise<Content>;
  /** @returns undefined when there are no such bytes. */
  presign(sha256: string, signal?: AbortSignal): Promise<PresignedUrl | undefined>;
}
