import { blobId } from "./blob-id.ts";
import { equal } from "./merge/three-way/encoding.ts";
import type { Change, Conflict, DiskFile, DiskTree, Finding, Plan } from "./plan.ts";

/** A plan in the making. */
export class Draft {
  readonly #changes = new Map<string, Change>();
  readonly #conflicts: Conflict[] = [];
  readonly #findings: Finding[] = [];
  readonly #mine: DiskTree;

  constructor(mine: DiskTree) {
    this.#mine = mine;
  }

  /** Writes a file, if that changes anything. */
  write(path: string, after: DiskFile, { conflicts = 0, notes = [] as string[] } = {}): void {
    const file = this.#mine.get(path);
    if (!file || !equal(file.bytes, after.bytes) || file.mode !== after.mode) {
      const kind = file ? "update" : "create";
      const before = file ? identify(file) : null;
      const { bytes, mode } = after;
      this.#changes.set(path, { path, kind, before, after: { bytes, mode }, conflicts, notes });
    }
  }

  delete(path: string): void {
    const file = this.#mine.get(path);
    if (file) {
      const before = identify(file);
      const change = {
        path,
        kind: "delete" as const,
        before,
        after: null,
        conflicts: 0,
        notes: [],
      };
      this.#changes.set(path, change);
    }
  }

  /**
   * Writes the template's file as a sidecar (.new) of a path, never over a file of the user's. The path
   * may also be a folder that is in the way, with the `rest` of the file's path below it.
   */
  writeSidecar(path: string, file: DiskFile, old?: Uint8Array, rest = ""): string {
    for (let count = 1; ; count += 1) {
      const sidecar = `${path}.new${count === 1 ? "" : count}${rest}`;
      const there = this.#changes.get(sidecar)?.after ?? this.#mine.get(sidecar);
      // An untouched .new file of an earlier run may be overwritten.
      if (!there || equal(there.bytes, file.bytes) || (old && equal(there.bytes, old))) {
        this.write(sidecar, { bytes: file.bytes, mode: there?.mode ?? file.mode });
        return sidecar;
      }
    }
  }

  conflict(conflict: Conflict): void {
    this.#conflicts.push(conflict);
  }

  find(path: string, kind: Finding["kind"], message: string): void {
    this.#findings.push({ path, kind, message });
  }

  get plan(): Plan {
    return {
      changes: [...this.#changes.values()].sort(byPath),
      conflicts: this.#conflicts.sort(byPath),
      findings: this.#findings.sort(byPath),
    };
  }
}

function identify({ bytes, mode }: DiskFile) {
  return { id: blobId(bytes), mode };
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : Number(a.path > b.path);
}
