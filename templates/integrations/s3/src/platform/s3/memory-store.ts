import { createHash } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Content, ContentBody, ContentStore, PresignedUrl } from "./content-store.ts";

const URL_MS = 300_000;

/** An object as it is kept. */
export interface StoredObject {
  bytes: Buffer;
  contentType: string;
}

type UrlOf = (sha256: string, object: StoredObject, expiresAt: Date) => string;

/**
 * A store in memory, for tests and for development without a server. The platform's tests hold it to what the real one
 * does.
 */
export class MemoryStore implements ContentStore {
  readonly #objects = new Map<string, StoredObject>();
  readonly #urlOf: UrlOf;

  /** @param urlOf where an object is served from; a data URL when left out. */
  constructor(urlOf: UrlOf = dataUrl) {
    this.#urlOf = urlOf;
  }

  async put(body: ContentBody): Promise<Content> {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (bytes.length === 0) throw new AppError("VALIDATION_ERROR", "The body is empty");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const created = !this.#objects.has(sha256);
    if (created) this.#objects.set(sha256, { bytes, contentType: body.contentType });
    return { sha256, bytes: bytes.length, created };
  }

  async presign(sha256: string): Promise<PresignedUrl | undefined> {
    const object = this.#objects.get(sha256);
    if (object === undefined) return undefined;
    const expiresAt = new Date(Date.now() + URL_MS);
    return { url: this.#urlOf(sha256, object, expiresAt), expiresAt: expiresAt.toISOString() };
  }

  /** The object itself, for a route that serves it. */
  get(sha256: string): StoredObject | undefined {
    return this.#objects.get(sha256);
  }

  async keys(): Promise<string[]> {
    return [...this.#objects.keys()];
  }
}

function dataUrl(_sha256: string, { bytes, contentType }: StoredObject): string {
  return `data:${contentType};base64,${bytes.toString("base64")}`;
}
