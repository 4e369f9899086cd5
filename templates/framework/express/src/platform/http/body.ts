import type { IncomingMessage } from "node:http";
import { parse } from "secure-json-parse";
import { BODY_LIMIT_BYTES, bodyMalformed, bodyNotJson, bodyTooLarge } from "./refusals.ts";

const JSON_TYPE = /^application\/json\s*(?:;|$)/i;

/**
 * Reads a JSON body. Not `express.json()`: that one unpacks gzip, takes an empty body for `{}`, lets `__proto__`
 * through and refuses plain values.
 * @returns undefined when the request has no body.
 * @throws {AppError} for what is no JSON or too large.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const { "content-type": type, "content-length": length = "0" } = request.headers;
  const chunked = request.headers["transfer-encoding"] !== undefined;
  if (type === undefined && length === "0" && !chunked) return undefined;
  if (type === undefined || !JSON_TYPE.test(type)) throw bodyNotJson();
  if (Number(length) > BODY_LIMIT_BYTES) throw bodyTooLarge();
  const text = await readText(request);
  try {
    return parse(text, { protoAction: "error", constructorAction: "error" });
  } catch (error) {
    throw bodyMalformed(error);
  }
}

function readText(request: IncomingMessage): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let received = 0;
  const onData = (chunk: Buffer): void => {
    received += chunk.length;
    chunks.push(chunk);
    if (received <= BODY_LIMIT_BYTES) return;
    stop();
    reject(bodyTooLarge());
  };
  const onEnd = (): void => {
    stop();
    resolve(Buffer.concat(chunks).toString());
  };
  const onError = (error: Error): void => {
    stop();
    reject(error);
  };
  // The rest of a refused body flows on, into nothing: an answer to a caller who still sends would get lost.
  const stop = (): void => void request.off("data", onData).off("end", onEnd).off("error", onError);
  request.on("data", onData).on("end", onEnd).on("error", onError);
  return promise;
}
