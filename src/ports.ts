/** What stands at a path, without following a link. */
export type EntryKind = "nothing" | "file" | "folder" | "link" | "other";

/** The disk. Errors are Node's own, with a `code` such as ENOSPC. */
export interface FileSystem {
  kindOf(path: string): Promise<EntryKind>;
  /** Names in a folder, in no particular order. */
  namesIn(folder: string): Promise<string[]>;
  /** Paths of all files under a folder, relative to it, with "/" between the parts, sorted. */
  filesUnder(folder: string): Promise<string[]>;
  readFile(path: string): Promise<Uint8Array>;
  isExecutable(path: string): Promise<boolean>;
  /** The permission bits. */
  modeOf(path: string): Promise<number>;
  /** In bytes. */
  sizeOf(path: string): Promise<number>;
  makeFolder(path: string): Promise<void>;
  /** Makes a new folder whose name starts with `prefix`, and returns its path. */
  makeUniqueFolder(prefix: string): Promise<string>;
  writeFile(path: string, bytes: Uint8Array, mode: number): Promise<void>;
  /** Likewise, and the bytes survive a loss of power once it is done. */
  writeDurably(path: string, bytes: Uint8Array, mode: number): Promise<void>;
  /** Sets exactly these permission bits, whatever the umask is. */
  setMode(path: string, mode: number): Promise<void>;
  /** Gives a file the owner of another; nothing happens unless this process is root's. */
  copyOwner(from: string, to: string): Promise<void>;
  /** Makes what was made, renamed and removed in a folder survive a loss of power. */
  syncFolder(folder: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes a folder reachable under one more path. Removing that leaves the folder as it is. */
  linkFolder(folder: string, path: string): Promise<void>;
  /** Removes a folder, unless something is in it. */
  removeEmptyFolder(folder: string): Promise<void>;
}

/** The processes of this machine. */
export interface Processes {
  /** Our own. */
  pid: number;
  /** The machine's name. */
  machine: string;
  isRunning(pid: number): boolean;
  pause(milliseconds: number): Promise<void>;
}

export interface CommandOptions {
  cwd: string;
  env?: Record<string, string | undefined>;
  /** Ends the command when aborted; its result then comes as usual. */
  signal?: AbortSignal;
  onLine?: (line: string) => void;
  /** What the program reads; else its input is empty. */
  input?: string;
}

export interface CommandResult {
  /** Undefined when the program was not found or a signal ended it. */
  exitCode: number | undefined;
  /** The signal that ended it. */
  signal?: string | undefined;
  found: boolean;
  /** The lines of standard output and error, as they came. */
  output: string;
}

/** A program that goes on running, such as a server. */
export interface RunningCommand {
  stop(signal: NodeJS.Signals): void;
  ended: Promise<CommandResult>;
}

/** Other programs. A command that fails is a result, not an error. */
export interface CommandRunner {
  run(program: string, args: readonly string[], options: CommandOptions): Promise<CommandResult>;
  start(program: string, args: readonly string[], options: CommandOptions): RunningCommand;
  /** The bytes of a command's standard output; undefined when it fails or is not there. */
  capture(
    program: string,
    args: readonly string[],
    options: CommandOptions,
  ): Promise<Uint8Array | undefined>;
}

interface Question {
  message: string;
  /** There is a question before this one, to which the person may go back. */
  back?: boolean;
}

export interface TextQuestion extends Question {
  default?: string;
  /** The broken rule in words, or undefined when the text is good. */
  problem: (text: string) => string | undefined;
  /** The same for a rule that needs a look at the disk, so it waits for Enter. */
  slowProblem?: (text: string) => Promise<string | undefined>;
}

export interface Choice {
  value: string;
  name: string;
  description?: string;
}

/** The person at the terminal. Every question may end with `GoBack` when it says so. */
export interface Prompter {
  text(question: TextQuestion): Promise<string>;
  choose(question: Question & { choices: Choice[]; default: string }): Promise<string>;
  chooseSome(question: Question & { choices: Choice[] }): Promise<string[]>;
  confirm(question: Question & { default: boolean }): Promise<boolean>;
}

export interface HttpAnswer {
  status: number;
  body: string;
}

export interface HttpBody {
  type: string;
  text: string;
}

/** The network of this machine. */
export interface Network {
  freePorts(count: number): Promise<number[]>;
  /** Undefined when nothing answered. */
  request(method: string, url: string, body?: HttpBody): Promise<HttpAnswer | undefined>;
  /** Ends early, and without an error, when aborted. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}
