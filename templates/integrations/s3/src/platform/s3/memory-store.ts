import { createHash } from "node:crypto";
import { AppError } from "../errors.ts";
import type { ContentBody, ContentStore } from "../s3/content-store.ts";

/** A store in memory. The test of stores holds it to what the real one does. */
export class MemoryStore implements ContentStore {
  readonly #objects = new Map<string, Buffer>();

  async put(body: ContentBody) {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (bytes.length === 0) throw new AppError("VALIDATION_ERROR", "The body is empty");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const created = !this.#objects.has(sha256);
    this.#objects.set(sha256, bytes);
    return { sha256, bytes: bytes.length, created };
  }

  async keys(): Promise<string[]> {
    return [...this.#objects.keys()];
  }

  async presign(sha256: string) {
    const bytes = this.#objects.get(sha256);
    if (bytes === undefined) return undefined;
    const url = `data:application/octet-stream;base64,${bytes.toString("base64")}`;
    return { url, expiresAt: new Date(Date.now() + 300_000).toISOString() };
  }
}
