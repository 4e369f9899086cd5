/** A stream of bytes and what they are, such as the body of a request. */
export interface ContentBody extends AsyncIterable<Buffer> {
  contentType: string;
}

/** Bytes in the store. The hash is their only name: the same bytes are there once. */
export interface Content {
  /** 64 hex digits. */
  sha256: string;
  bytes: number;
  /** False when they were there already. */
  created: boolean;
}

/** Where the bytes can be got for a while, without the service. */
export interface PresignedUrl {
  url: string;
  /** ISO 8601 */
  expiresAt: string;
}

/** Keeps bytes under their own hash. Its methods throw OVERLOADED or EXTERNAL_SERVICE_ERROR when the store fails. */
export interface ContentStore {
  /**
   * Stores a stream without ever holding it as a whole. When the stream breaks off, nothing of it stays.
   * @throws {AppError} VALIDATION_ERROR for no bytes at all, and whatever the stream breaks off with.
   */
  put(body: ContentBody, signal?: AbortSignal): Promise<Content>;
  /** @returns undefined when there are no such bytes. */
  presign(sha256: string, signal?: AbortSignal): Promise<PresignedUrl | undefined>;
}
