import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { Readable } from "node:stream";

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { peakMemory, type Service } from "./service/run.ts";
import { BUCKET, startReadyService, startSurroundings, type Surroundings } from "./surroundings.ts";
import { until } from "./until.ts";

const MEGABYTE = 1_000_000;
const LARGE = 200 * MEGABYTE;
// In the megabytes of ECS and of the kernel.
// Without forcing V8, which frees the chunks of a stream when some 64 MB of them have gathered.
const MEMORY_LIMIT = 240 * 2 ** 20;
const RACERS = 10;
const CHUNK = randomBytes(100_000);

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

describe.each(Object.entries(inject("services")))("%s: images", (name, directory) => {
  let service: Service;
  beforeAll(async () => {
    service = await startReadyService(surroundings, directory);
  });
  afterAll(() => service?.[Symbol.asyncDispose]());

  it("of 200 MB pass through a worker that never holds them", async () => {
    const image = newImage(LARGE);
    expect(await upload(image)).toEqual({ status: 201, sha256: image.sha256 });
    const peaks = service.workerPids().map(peakMemory);
    const mebibytes = peaks.map((bytes) => Math.round(bytes / 2 ** 20));
    process.stdout.write(`${name}: peak memory of the workers, MiB: ${mebibytes.join(", ")}\n`);
    expect(Math.max(...peaks)).toBeLessThan(MEMORY_LIMIT);
    expect(await download(image.sha256)).toBe(image.sha256);
    expect(await surroundings.s3.openUploads(BUCKET)).toEqual([]);
  });

  it.each([
    { size: "small", bytes: MEGABYTE / 10, creators: 1 },
    // They are copied to their name, and this S3 does not know conditions of copies.
    { size: "large", bytes: 20 * MEGABYTE, creators: RACERS },
  ])("that are equal and $size are stored once, though ten come at once", async (race) => {
    const { bytes, creators } = race;
    const image = newImage(bytes);
    const before = await surroundings.s3.keys(BUCKET);
    const answers = await Promise.all(Array.from({ length: RACERS }, () => upload(image)));
    expect(new Set(answers.map(({ sha256 }) => sha256))).toEqual(new Set([image.sha256]));
    const created = answers.filter(({ status }) => status === 201);
    expect(created.length).toBeGreaterThanOrEqual(1);
    expect(created.length).toBeLessThanOrEqual(creators);
    expect(answers.filter(({ status }) => status === 200).length).toBe(RACERS - created.length);
    const after = await surroundings.s3.keys(BUCKET);
    expect(after.length - before.length).toBe(1);
    expect(await surroundings.s3.openUploads(BUCKET)).toEqual([]);
  });

  it("of which the sender goes away leave nothing", async () => {
    const before = await surroundings.s3.keys(BUCKET);
    const outgoing = request(`${service.url}/api/v1/images`, {
      method: "PUT",
      headers: { "content-type": "image/png", "content-length": LARGE },
    });
    outgoing.on("error", () => {});
    for (let sent = 0; sent < LARGE / 4; sent += CHUNK.length) {
      if (!outgoing.write(CHUNK)) await once(outgoing, "drain");
    }
    await until("parts of the upload", async () => {
      return (await surroundings.s3.openUploads(BUCKET)).length > 0;
    });
    outgoing.destroy();
    await until("no parts any more", async () => {
      return (await surroundings.s3.openUploads(BUCKET)).length === 0;
    });
    expect(await surroundings.s3.keys(BUCKET)).toEqual(before);
    expect((await fetch(`${service.url}/health`)).status).toBe(200);
  });

  async function upload(image: Image): Promise<{ status: number; sha256: string }> {
    const response = await fetch(`${service.url}/api/v1/images`, {
      method: "PUT",
      headers: { "content-type": "image/png", "content-length": `${image.bytes}` },
      body: Readable.toWeb(Readable.from(chunksOf(image))) as ReadableStream,
      duplex: "half",
    });
    const { sha256 } = (await response.json()) as { sha256: string };
    return { status: response.status, sha256 };
  }

  /** @returns the hash of what comes. */
  async function download(sha256: string): Promise<string> {
    const answer = await fetch(`${service.url}/api/v1/images/${sha256}`);
    const { url } = (await answer.json()) as { url: string };
    const response = await fetch(url);
    expect(response.status).toBe(200);
    const hash = createHash("sha256");
    for await (const chunk of response.body ?? []) hash.update(chunk as Uint8Array);
    return hash.digest("hex");
  }
});

interface Image {
  bytes: number;
  /** Comes first, and makes it unlike any other. */
  start: Buffer;
  sha256: string;
}

function newImage(bytes: number): Image {
  const image = { bytes, start: randomBytes(CHUNK.length), sha256: "" };
  const hash = createHash("sha256");
  for (const chunk of chunksOf(image)) hash.update(chunk);
  return { ...image, sha256: hash.digest("hex") };
}

function* chunksOf({ bytes, start }: Image): Generator<Buffer> {
  yield start;
  for (let sent = start.length; sent < bytes; sent += CHUNK.length) yield CHUNK;
}
