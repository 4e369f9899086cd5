import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { PROBES } from "../../test/contract/service/probes.ts";
import { SAMPLED } from "./columns.ts";
import type { Request } from "./load.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const HEX32 = /^[0-9a-f]{32}$/;

/**
 * A figure only counts when nothing was left out to reach it.
 * @param requests how many were sent; each was answered.
 * @throws when a request was not logged with its ids, not counted, or the traces are not the sampled share.
 */
export async function checkNothingSkipped(
  name: string,
  requests: number,
  seen: { log: string; metrics: string; spans: number },
): Promise<void> {
  const logged = await countLines(seen.log);
  const counted = countRequests(seen.metrics);
  for (const [what, count] of Object.entries({ logged, counted })) {
    if (count !== requests) throw new Error(`${name}: ${count} of ${requests} requests ${what}`);
  }
  const expected = requests * SAMPLED;
  // Six standard deviations of a fair draw: one run in a billion is beyond.
  const margin = 6 * Math.sqrt(requests * SAMPLED * (1 - SAMPLED));
  if (Math.abs(seen.spans - expected) > margin) {
    throw new Error(
      `${name}: ${seen.spans} spans arrived, ${expected.toFixed(0)} ± ${margin.toFixed(0)} are due`,
    );
  }
}

/**
 * Sees that requests and responses are checked. @returns how many requests it took.
 * @throws when one that is not valid gets through.
 */
export async function checkValidation(name: string, port: number, post: Request): Promise<number> {
  const origin = `http://127.0.0.1:${port}`;
  const headers = { "Content-Type": "application/json" };
  const refused = await fetch(`${origin}${post.path}`, { method: "POST", headers, body: "{}" });
  const broken = await fetch(`${origin}${PROBES.brokenResponse}`);
  if (refused.status < 400 || refused.status > 499 || broken.status !== 500) {
    throw new Error(
      `${name}: answers ${refused.status} to a request and ${broken.status} with a response that break their schemas`,
    );
  }
  return 2;
}

async function countLines(file: string): Promise<number> {
  let count = 0;
  // Line by line: after some rounds the file is larger than any text may be.
  for await (const text of createInterface({ input: createReadStream(file) })) {
    if (!text.includes('"request completed"')) continue;
    const line = JSON.parse(text) as Record<string, string>;
    if (!UUID.test(line["request_id"] ?? "") || !HEX32.test(line["trace_id"] ?? "")) {
      throw new Error(`a request without its ids in ${file}: ${text}`);
    }
    if (String(line["path"]).startsWith("/api/")) count += 1;
  }
  return count;
}

function countRequests(metrics: string): number {
  const lines = metrics.split("\n").filter((line) => {
    return (
      line.startsWith("http_server_request_duration_seconds_count{") && line.includes('"/api/')
    );
  });
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** The metrics once they have stopped changing: workers report them once a second. */
export async function settledMetrics(url: string): Promise<string> {
  await delay(3_000);
  const response = await fetch(url);
  return response.text();
}
