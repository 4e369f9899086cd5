/** One column's figures in one round. */
export interface Round {
  index: number;
  column: string;
  bare: string | undefined;
  request: string;
  /** CPU of the whole process tree for one request, in microseconds. */
  cpuUs: number;
  p99Ms: number;
}

/** One start: milliseconds to the first 200 on /health, and MiB of each process. */
export interface Boot {
  column: string;
  bare: string | undefined;
  workers: number;
  ms: number;
  memoryMib: number[];
}

// Shares of the bare framework's speed that the whole service keeps; the floor, and what we are after.
const KEPT: Record<string, { floor: number; goal: number }> = {
  "service on fastify POST": { floor: 0.5, goal: 0.6 },
  "service on fastify GET": { floor: 0.45, goal: 0.55 },
  "service on express POST": { floor: 0.65, goal: 0.8 },
  "service on express GET": { floor: 0.6, goal: 0.75 },
};
const TIMES_FASTAPI = 10;
const BOOT_TIMES_BARE = 1.4;

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A figure of one round. */
export interface Sample {
  column: string;
  bare: string | undefined;
  /** What was measured: figures of one kind and column are of the same thing. */
  kind: string;
  value: number;
}

/** Above this, the figures say more about the machine than about the service. */
export const NOISE_LIMIT = 0.1;

/**
 * How noisy the machine was: how far a bare server's figures lie from their median, half of them closer. A bare server
 * does the same in every round.
 */
export function noiseOf(samples: Sample[]): number {
  const groups = Object.values(
    Object.groupBy(
      samples.filter(({ bare }) => bare === undefined),
      ({ column, kind }) => `${column} ${kind}`,
    ),
  );
  return Math.max(
    0,
    ...groups.map((group) => {
      const values = group!.map(({ value }) => value);
      const middle = median(values);
      return median(values.map((value) => Math.abs(value - middle))) / middle;
    }),
  );
}

/** Prints how noisy the machine was. @returns whether that is too much for a verdict. */
export function reportNoise(samples: Sample[]): boolean {
  const noise = noiseOf(samples);
  const isTooNoisy = noise > NOISE_LIMIT;
  const share = `${(noise * 100).toFixed(1)} %`;
  console.log(
    `\nnoise of the machine: ${share}${isTooNoisy ? ", too much for a verdict: run it again" : ""}`,
  );
  return isTooNoisy;
}

/** Prints the speed of every column and says whether the budgets are kept. */
export function reportSpeed(rounds: Round[]): boolean {
  let kept = true;
  for (const request of new Set(rounds.map((round) => round.request))) {
    const rows = rounds.filter((round) => round.request === request);
    const cpu = (column: string): number[] =>
      rows.filter((row) => row.column === column).map((row) => row.cpuUs);
    const ratio = (column: string, other: string): number => {
      const others = cpu(other);
      return median(cpu(column).map((value, index) => others[index]! / value));
    };
    console.log(`\n${request}            CPU µs/request   of bare   × FastAPI   p99 ms`);
    for (const column of new Set(rows.map((row) => row.column))) {
      const own = rows.filter((row) => row.column === column);
      const bare = own[0]?.bare;
      const share = bare === undefined ? 1 : ratio(column, bare);
      const timesFastApi = ratio(column, "FastAPI");
      const p99 = median(own.map((row) => row.p99Ms));
      const within = judge(column, request, share, timesFastApi);
      kept &&= within.ok;
      console.log(
        `${column.padEnd(20)} ${median(cpu(column)).toFixed(1).padStart(8)} ${share.toFixed(2).padStart(12)} ` +
          `${timesFastApi.toFixed(1).padStart(10)} ${p99.toFixed(1).padStart(9)}   ${within.text}`,
      );
    }
  }
  return kept;
}

function judge(
  column: string,
  request: string,
  share: number,
  timesFastApi: number,
): { ok: boolean; text: string } {
  if (!column.startsWith("service")) return { ok: true, text: "" };
  const { floor, goal } = KEPT[`${column} ${request}`]!;
  const ok = share >= floor && timesFastApi >= TIMES_FASTAPI;
  const text = `floor ${floor}, goal ${goal}, ${TIMES_FASTAPI} × FastAPI: ${ok ? "ok" : "BELOW"}`;
  return { ok, text };
}

/** Prints start-up times and memory and says whether the budgets are kept. */
export function reportBoots(boots: Boot[]): boolean {
  let kept = true;
  for (const workers of new Set(boots.map((boot) => boot.workers))) {
    const rows = boots.filter((boot) => boot.workers === workers);
    const ms = (column: string): number =>
      median(rows.filter((row) => row.column === column).map((row) => row.ms));
    console.log(
      `\n${workers} worker(s)     first 200 ms   × bare   × FastAPI   MiB of each process`,
    );
    for (const column of new Set(rows.map((row) => row.column))) {
      const first = rows.find((row) => row.column === column);
      const timesBare = first?.bare === undefined ? 1 : ms(column) / ms(first.bare);
      const timesFastApi = ms(column) / ms("FastAPI");
      const ok =
        !column.startsWith("service") || (timesBare <= BOOT_TIMES_BARE && timesFastApi < 1);
      kept &&= ok;
      console.log(
        `${column.padEnd(20)} ${ms(column).toFixed(0).padStart(6)} ${timesBare.toFixed(2).padStart(12)} ` +
          `${timesFastApi.toFixed(2).padStart(9)}    ${first?.memoryMib.map((mib) => mib.toFixed(0)).join(" ")}` +
          (ok ? "" : "   OVER BUDGET"),
      );
    }
  }
  return kept;
}
