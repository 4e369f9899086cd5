/** Whether the owner may run it. No other bit of a mode is the template's business. */
export function isExecutable(mode: number): boolean {
  return (mode & 0o100) !== 0;
}

/** The user's mode, with the template's change to it, unless the user changed it first. */
export function mergeMode(base: number, mine: number, theirs: number): number {
  const unchanged = isExecutable(base) === isExecutable(theirs);
  if (unchanged || isExecutable(mine) === isExecutable(theirs)) {
    return mine;
  }
  // Who may read may run.
  return isExecutable(theirs) ? mine | ((mine & 0o444) >> 2) : mine & ~0o111;
}
