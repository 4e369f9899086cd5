import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { parse } from "secure-json-parse";
import { BODY_LIMIT_BYTES, bodyMalformed, bodyNotJson, bodyTooLarge } from "./refusals.ts";

/** `application/json`, and all types that are made of it, such as `application/merge-patch+json`. */
export const JSON_TYPE = /^application\/(?:[\w!#$&^.+-]{1,100}\+)?json[ \t]*(?:;|$)/i;

const FIRST_BYTES = 4_096;

/** Called once, with what went wrong or with the value. */
type Done = (error: Error | null, body?: unknown) => void;

/**
 * Reads a JSON body, for both frameworks: their own parsers differ in what they take. Without promises, each of which
 * every request would pay for.
 * @param payload where the bytes come from, when a hook has put another stream in the place of the request.
 * @param done gets undefined for an empty body; an AppError for another type, a body that is too large, or text that is
 * not JSON in UTF-8.
 * @param limit of the body, in bytes.
 */
export function parseJson(
  req: IncomingMessage,
  payload: Readable,
  done: Done,
  limit = BODY_LIMIT_BYTES,
): void {
  const {
    "content-type": type,
    "content-encoding": encoding,
    "content-length": length,
  } = req.headers;
  const isEmpty = (length ?? "0") === "0" && req.headers["transfer-encoding"] === undefined;
  if (type === undefined && isEmpty) return done(null);
  if (type === undefined || !JSON_TYPE.test(type)) return done(bodyNotJson());
  // A hook that has replaced the stream has decompressed it, too.
  if (payload === req && (encoding ?? "identity") !== "identity") return done(bodyNotJson());
  if (Number(length) > limit) return done(bodyTooLarge(limit));
  readBytes(payload, Number(length) || FIRST_BYTES, limit, (error, bytes) => {
    if (error !== null) return done(error);
    let body: unknown;
    try {
      body = valueOf(bytes);
    } catch (cause) {
      return done(bodyMalformed(cause));
    }
    done(null, body);
  });
}

/** `parseJson` as a promise. */
export function readJson(req: IncomingMessage): Promise<unknown> {
  return new Promise((resolve, reject) => {
    parseJson(req, req, (error, body) => (error === null ? resolve(body) : reject(error)));
  });
}

function valueOf(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw new TypeError("the body is not UTF-8");
  return parse(bytes.toString(), { protoAction: "error", constructorAction: "error" });
}

/** Into one buffer that grows: a list of a million chunks of a byte each would cost a hundred times their size. */
function readBytes(
  payload: Readable,
  expected: number,
  limit: number,
  done: (error: Error | null, bytes: Buffer) => void,
): void {
  let buffer: Buffer = Buffer.alloc(0);
  let received = 0;
  const onData = (chunk: Buffer): void => {
    const end = received + chunk.length;
    if (end > limit) return finish(bodyTooLarge(limit));
    // Most bodies come in one chunk, which need not be copied.
    if (received === 0) buffer = chunk;
    else {
      if (end > buffer.length) {
        const larger = Buffer.allocUnsafe(end > expected ? end * 2 : expected);
        buffer.copy(larger);
        buffer = larger;
      }
      chunk.copy(buffer, received);
    }
    received = end;
  };
  const onEnd = (): void => finish(null);
  const finish = (error: Error | null): void => {
    // The rest of a refused body flows on, into nothing: an answer to a caller who still sends would get lost.
    payload.off("data", onData).off("end", onEnd).off("error", finish);
    done(error, buffer.subarray(0, received));
  };
  // A hook may have paused what it puts in the place of the request, as @fastify/compress does.
  payload.on("data", onData).on("end", onEnd).on("error", finish).resume();
}
