import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { RECEIPT } from "./receipt.ts";
import type { Service } from "./service/run.ts";
import { startReadyService, startSurroundings, type Surroundings } from "./surroundings.ts";

const RACERS = 50;

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await startSurroundings();
});
afterAll(() => surroundings?.[Symbol.asyncDispose]());

describe.each(Object.entries(inject("services")))("%s: receipts", (_name, directory) => {
  let service: Service;
  beforeAll(async () => {
    service = await startReadyService(surroundings, directory);
  });
  afterAll(() => service?.[Symbol.asyncDispose]());

  it("are created by one of fifty who try at once", async () => {
    const id = randomUUID();
    const racers = Array.from({ length: RACERS }, (_, index) =>
      put(id, { ...RECEIPT, retailer: `Racer ${index}` }),
    );
    const answers = await Promise.all(racers);
    const winners = answers.filter(({ status }) => status === 201);
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(RACERS - 1);
    expect((await get(id)).body).toEqual(winners[0]?.body);
  });

  it("are changed by one of fifty who have seen the same version", async () => {
    const id = randomUUID();
    await put(id, RECEIPT);
    const racers = Array.from({ length: RACERS }, (_, index) =>
      put(id, { ...RECEIPT, retailer: `Racer ${index}` }, '"1"'),
    );
    const answers = await Promise.all(racers);
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(RACERS - 1);
    expect((await get(id)).body).toMatchObject({ version: 2 });
    expect((await put(randomUUID(), RECEIPT, '"1"')).status).toBe(404);
  });

  it("come and go", async () => {
    const id = randomUUID();
    expect((await get(id)).status).toBe(404);
    expect(await put(id, RECEIPT)).toMatchObject({ status: 201, body: { ...RECEIPT, id } });
    expect(await get(id)).toMatchObject({ status: 200, body: { ...RECEIPT, id, version: 1 } });
    expect((await send("DELETE", `/${id}`)).status).toBe(204);
    expect((await send("DELETE", `/${id}`)).status).toBe(404);
    expect((await get(id)).status).toBe(404);
  });

  it("are listed page by page, each one once", async () => {
    const ids = await Promise.all(
      Array.from({ length: 25 }, async () => {
        const id = randomUUID();
        await put(id, RECEIPT);
        return id;
      }),
    );
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await list(10, cursor);
      seen.push(...page.receipts.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(ids));
  });

  it("are not listed from a place that a caller made up", async () => {
    const { nextCursor = "" } = await list(1);
    expect(nextCursor).not.toBe("");
    const forged = Buffer.from(JSON.stringify({ pk: "receipt", sk: "0" })).toString("base64url");
    const other = nextCursor.startsWith("A") ? "B" : "A";
    for (const cursor of [
      other + nextCursor.slice(1),
      nextCursor.slice(0, -4),
      `${nextCursor}AAAA`,
      forged,
      "no cursor",
      "",
    ]) {
      const { status, body } = await send("GET", `?cursor=${encodeURIComponent(cursor)}`);
      expect({ cursor, status }).toEqual({ cursor, status: 400 });
      expect(body).toMatchObject({ error: { code: "VALIDATION_ERROR" } });
    }
  });

  interface Answer {
    status: number;
    body: unknown;
  }

  async function send(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${service.url}/api/v1/receipts${path}`, { ...init, method });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  }

  function put(id: string, receipt: object, ifMatch?: string): Promise<Answer> {
    const headers = { "content-type": "application/json", ...(ifMatch && { "if-match": ifMatch }) };
    return send("PUT", `/${id}`, { headers, body: JSON.stringify(receipt) });
  }

  function get(id: string): Promise<Answer> {
    return send("GET", `/${id}`);
  }

  async function list(
    limit: number,
    cursor?: string,
  ): Promise<{ receipts: { id: string }[]; nextCursor?: string }> {
    const query = new URLSearchParams({ limit: `${limit}`, ...(cursor && { cursor }) });
    const { body } = await send("GET", `?${query.toString()}`);
    return body as Awaited<ReturnType<typeof list>>;
  }
});
