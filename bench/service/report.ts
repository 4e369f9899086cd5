/** One column's figures in one round. */
export interface Round {
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
const BOOT_TIMES_FASTAPI = 1;

/** The median of some figures, and where the true one lies in 19 of 20 runs. */
export interface Median {
  low: number;
  middle: number;
  high: number;
}

/** One chance in twenty, half of it on either side. */
const CHANCE_OF_EACH_SIDE = 0.025;

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const count = sorted.length;
  return (sorted[Math.floor((count - 1) / 2)]! + sorted[Math.floor(count / 2)]!) / 2;
}

/** The bounds are those of the sign test, which supposes nothing of the noise. Fewer than six figures bound nothing. */
export function medianOf(values: number[]): Median {
  const sorted = values.toSorted((a, b) => a - b);
  const count = sorted.length;
  let rank = 0;
  // How likely `rank` figures or fewer are below the true median: coins that show heads.
  let chance = 0.5 ** count;
  for (let ways = 1, sum = chance; sum <= CHANCE_OF_EACH_SIDE; sum += chance) {
    rank += 1;
    ways = (ways * (count - rank + 1)) / rank;
    chance = ways * 0.5 ** count;
  }
  return {
    low: sorted[rank - 1] ?? -Infinity,
    middle: median(values),
    high: sorted[count - rank] ?? Infinity,
  };
}

/** `undecided` when the machine is too noisy, or the rounds are too few, to tell on which side of a limit a figure is. */
export type Verdict = "ok" | "undecided" | "MISSED";

export function atLeast(limit: number, { low, high }: Median): Verdict {
  if (low >= limit) return "ok";
  return high < limit ? "MISSED" : "undecided";
}

export function atMost(limit: number, { low, high }: Median): Verdict {
  if (high <= limit) return "ok";
  return low > limit ? "MISSED" : "undecided";
}

/** The worst of some verdicts. */
export function worst(verdicts: Verdict[]): Verdict {
  if (verdicts.includes("MISSED")) return "MISSED";
  return verdicts.includes("undecided") ? "undecided" : "ok";
}

/** Prints the speed of every column. @returns whether the budgets are kept. */
export function reportSpeed(rounds: Round[]): Verdict {
  const verdicts: Verdict[] = [];
  for (const request of new Set(rounds.map((round) => round.request))) {
    const columns = columnsOf(rounds.filter((round) => round.request === request));
    console.log(`\n${request}            CPU µs/request         of bare       × FastAPI   p99 ms`);
    for (const [column, own] of columns) {
      // Round by round, as whatever else the machine does comes and goes.
      const times = (other: string): Median =>
        medianOf(own.map(({ cpuUs }, index) => columns.get(other)![index]!.cpuUs / cpuUs));
      const cpuUs = median(own.map((row) => row.cpuUs));
      const kept = KEPT[`${column} ${request}`];
      const share = times(own[0]!.bare ?? column);
      const timesFastApi = times("FastAPI");
      const p99 = median(own.map((row) => row.p99Ms));
      let text = "";
      if (kept !== undefined) {
        const ofBare = atLeast(kept.floor, share);
        const ofFastApi = atLeast(TIMES_FASTAPI, timesFastApi);
        verdicts.push(ofBare, ofFastApi);
        text = `floor ${kept.floor} (goal ${kept.goal}): ${ofBare}; ${TIMES_FASTAPI} × FastAPI: ${ofFastApi}`;
      }
      console.log(
        `${column.padEnd(20)} ${cpuUs.toFixed(1).padStart(8)} ${written(share, 2)} ` +
          `${written(timesFastApi, 1)} ${p99.toFixed(1).padStart(8)}   ${text}`,
      );
    }
  }
  return worst(verdicts);
}

/** Prints start-up times and memory. @returns whether the budgets are kept. */
export function reportBoots(boots: Boot[]): Verdict {
  const verdicts: Verdict[] = [];
  for (const workers of new Set(boots.map((boot) => boot.workers))) {
    const columns = columnsOf(boots.filter((boot) => boot.workers === workers));
    console.log(
      `\n${workers} worker(s)     first 200 ms          × bare       × FastAPI   MiB of each process`,
    );
    for (const [column, own] of columns) {
      const times = (other: string): Median =>
        medianOf(own.map(({ ms }, index) => ms / columns.get(other)![index]!.ms));
      const ms = median(own.map((row) => row.ms));
      const { bare, memoryMib } = own[0]!;
      const timesBare = times(bare ?? column);
      const timesFastApi = times("FastAPI");
      let text = "";
      if (column.startsWith("service")) {
        const ofBare = atMost(BOOT_TIMES_BARE, timesBare);
        const ofFastApi = atMost(BOOT_TIMES_FASTAPI, timesFastApi);
        verdicts.push(ofBare, ofFastApi);
        text = `at most ${BOOT_TIMES_BARE}: ${ofBare}; FastAPI's: ${ofFastApi}`;
      }
      console.log(
        `${column.padEnd(20)} ${ms.toFixed(0).padStart(6)} ${written(timesBare, 2)} ` +
          `${written(timesFastApi, 2)}   ${memoryMib.map((mib) => mib.toFixed(0)).join(" ")}   ${text}`,
      );
    }
  }
  return worst(verdicts);
}

function columnsOf<Row extends { column: string }>(rows: Row[]): Map<string, Row[]> {
  return Map.groupBy(rows, ({ column }) => column);
}

function written({ low, middle, high }: Median, digits: number): string {
  const bounds = [low, high].map((bound) => (Number.isFinite(bound) ? bound.toFixed(digits) : "?"));
  return `${middle.toFixed(digits)} (${bounds.join("-")})`.padStart(16);
}
