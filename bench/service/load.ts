import { execa } from "execa";
import { join } from "node:path";

/** One kind of request, and the only answer that is right. */
export interface Request {
  name: string;
  path: string;
  /** File with the body; empty for a GET. */
  body: string;
  /** File with the answer's body. */
  expected: string;
}

export interface LoadResult {
  requests: number;
  /** As wrk has it: a pause counts once for each request that would have been sent in it, and not once per connection. */
  p99Ms: number;
}

/**
 * Sends requests over 32 kept connections for `seconds`, from one CPU.
 * @param wholeContract whether each answer must have the headers of the contract.
 * @throws when a single request failed or was answered otherwise than expected.
 */
export async function load(
  port: number,
  request: Request,
  seconds: number,
  cpu: string,
  wholeContract: boolean,
): Promise<LoadResult> {
  const script = join(import.meta.dirname, "requests.lua");
  const { stdout } = await execa(
    "taskset",
    [
      ...["--cpu-list", cpu, "wrk", "--threads", "1", "--connections", "32"],
      ...["--duration", String(seconds), "--script", script, `http://127.0.0.1:${port}`],
    ],
    {
      env: {
        BENCH_PATH: request.path,
        BENCH_BODY: request.body,
        BENCH_EXPECTED: request.expected,
        BENCH_WHOLE_CONTRACT: wholeContract ? "1" : "",
      },
    },
  );
  const [, requests, errors, wrong, p99] = /^RESULT (\d+) (\d+) (\d+) (\d+)$/m.exec(stdout) ?? [];
  if (errors !== "0" || wrong !== "0") {
    throw new Error(`${request.name} on port ${port} went wrong:\n${stdout}`);
  }
  return { requests: Number(requests), p99Ms: Number(p99) / 1_000 };
}
