import { Violation } from "./check.ts";

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A page in Prometheus' text format. */
export interface Exposition {
  /** The type of each family. */
  types: Map<string, string>;
  samples: Sample[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const SUFFIXES: Record<string, string[]> = {
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"],
};

/** Reads the text format, version 0.0.4. @throws {Violation} at the first line that breaks it. */
export function parseExposition(text: string): Exposition {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  const seen = new Set<string>();
  if (!text.endsWith("\n")) throw new Violation("metrics: the last line has no line end");
  for (const line of text.split("\n")) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment?.[1] === "TYPE") {
      const [, , family = "", type = ""] = comment;
      if (types.has(family)) throw new Violation(`metrics: a second TYPE of ${family}`);
      types.set(family, type);
    } else if (line !== "" && !line.startsWith("#")) {
      const sample = parseSample(line);
      const series = seriesOf(sample);
      if (seen.has(series)) throw new Violation(`metrics: the series ${series} is there twice`);
      seen.add(series);
      if (!hasType(types, sample.name)) throw new Violation(`metrics: ${sample.name} has no TYPE`);
      samples.push(sample);
    }
  }
  return { types, samples };
}

function parseSample(line: string): Sample {
  const [, name = "", labels = "", value = ""] = SAMPLE.exec(line) ?? [];
  const number = toNumber(value);
  if (number === undefined) throw new Violation(`metrics: not a sample: ${JSON.stringify(line)}`);
  return { name, labels: parseLabels(labels, line), value: number };
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let end = 0;
  for (let match = LABEL.exec(text); match; match = LABEL.exec(text)) {
    labels[match[1] ?? ""] = match[2] ?? "";
    end = LABEL.lastIndex;
  }
  if (end !== text.length) throw new Violation(`metrics: labels of ${JSON.stringify(line)}`);
  return labels;
}

function toNumber(text: string): number | undefined {
  const special: Record<string, number> = { NaN, "+Inf": Infinity, "-Inf": -Infinity };
  if (text in special) return special[text];
  return text === "" || Number.isNaN(Number(text)) ? undefined : Number(text);
}

/** A series' name and labels as one text, in whatever order the labels came. */
function seriesOf({ name, labels }: Sample): string {
  const pairs = Object.keys(labels)
    .toSorted()
    .map((key) => `${key}=${JSON.stringify(labels[key])}`);
  return `${name}{${pairs.join()}}`;
}

function hasType(types: Map<string, string>, name: string): boolean {
  return [...types].some(([family, type]) =>
    (SUFFIXES[type] ?? [""]).some((suffix) => name === family + suffix),
  );
}

/** The sum of all series of a name. */
export function sumOf({ samples }: Exposition, name: string): number {
  return samples
    .filter((sample) => sample.name === name)
    .reduce((sum, { value }) => sum + value, 0);
}
