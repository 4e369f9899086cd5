import type { Tree } from "../../src/plan/tree.ts";

/** One line that a team adds to a file. */
export interface Edit {
  path: string;
  line: string;
  after: number;
}

/** Numbers that look random and are the same in every run. */
export function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Lines that a team could add, by the file that it adds them to. */
const LINES: Record<string, (word: string, text: string[]) => Omit<Edit, "path">[]> = {
  "package.json": (word, text) => [
    { line: `    "${word}": "1.0.0",`, after: text.indexOf('  "dependencies": {') },
    ...positions(text, /^ {4}"@?[a-z/-]+": "\d/).map((after) => ({
      line: `    "${word}": "1.0.0",`,
      after: after - 1,
    })),
  ],
  ".env.example": (word, text) => anywhere(text, `${word.toUpperCase()}_URL=http://${word}`),
  ".gitignore": (word, text) => anywhere(text, `${word}/`),
  ".dockerignore": (word, text) => anywhere(text, `${word}/`),
  "README.md": (word, text) =>
    positions(text, /^$/).map((after) => ({ line: `Ask the ${word}.\n`, after })),
  "compose.yaml": (word, text) =>
    positions(text, /^ {6}[A-Z_]+: /).map((after) => ({
      line: `      ${word.toUpperCase()}_URL: http://${word}`,
      after,
    })),
  "fsd.yml": (word, text) =>
    positions(text, /^ {2}[A-Z_]+: /).map((after) => ({
      line: `  ${word.toUpperCase()}_URL: http://${word}`,
      after,
    })),
  "src/app.ts": (word, text) =>
    positions(text, /^import /).map((after) => ({ line: `// For the ${word}.`, after })),
};

const WORDS = ["aurora", "badger", "kestrel", "lantern", "marten", "otter", "pelican", "zebra"];

/** What a team adds in a year: as many lines as asked for, in the files in which teams add lines. */
export function editsOf(tree: Tree, seed: number, count: number): Edit[] {
  const below = numbersFrom(seed);
  const paths = Object.keys(LINES).filter((path) => tree.has(path));
  return Array.from({ length: count }, (_, index) => {
    const path = paths[below(paths.length)] ?? "";
    const text = textOf(tree, path).split("\n");
    const word = `${WORDS[below(WORDS.length)]}${index}`;
    const places = LINES[path]?.(word, text) ?? [];
    const place = places[below(places.length)] ?? { line: "", after: 0 };
    return { path, ...place };
  });
}

/** A file with a team's lines in it. */
export function withEdits(tree: Tree, path: string, edits: readonly Edit[]): string {
  const lines = textOf(tree, path).split("\n");
  const own = edits.filter((edit) => edit.path === path);
  for (const { line, after } of own.toSorted((a, b) => b.after - a.after)) {
    lines.splice(after + 1, 0, line);
  }
  return lines.join("\n");
}

/** The lines that are no longer there. */
export function lostOf(files: ReadonlyMap<string, string>, edits: readonly Edit[]): number {
  const isThere = ({ path, line }: Edit) =>
    files.get(path)?.includes(line.trim().replace(/,$/, "")) ?? false;
  return edits.filter((edit) => !isThere(edit)).length;
}

function textOf(tree: Tree, path: string): string {
  return Buffer.from(tree.get(path)?.bytes ?? []).toString("utf8");
}

function positions(text: readonly string[], pattern: RegExp): number[] {
  return text.flatMap((line, index) => (pattern.test(line) ? [index] : []));
}

function anywhere(text: readonly string[], line: string): Omit<Edit, "path">[] {
  return text.slice(0, -1).map((_, after) => ({ line, after }));
}
