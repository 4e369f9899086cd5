import type { Host } from "./host.ts";
import type { Report } from "./report.ts";

/** The options of `create` as commander reads them; the answers among them are still texts. */
export interface CreateOptions {
  name?: string;
  directory?: string;
  answers?: string;
  yes?: boolean;
  install?: boolean;
  git?: boolean;
  verify?: boolean;
  dryRun?: boolean;
  json?: boolean;
  [answer: string]: unknown;
}

/** The options of the commands that work on a service, as commander reads them. */
export interface ServiceOptions {
  /** The arguments: what stands on the command line without a flag. */
  names: string[];
  directory?: string;
  restore?: string[];
  check?: boolean;
  forceFiles?: boolean;
  reason?: string;
  install?: boolean;
  dryRun?: boolean;
  yes?: boolean;
  json?: boolean;
  // Of `verify`.
  metricsUrl?: string;
  process?: string;
  destructive?: boolean;
  only?: string[];
  skip?: string[];
  openapi?: string;
  route?: string;
  body?: string;
  strict?: boolean;
  junit?: string;
}

/** Runs a command on a service, and returns its exit code. */
export type ServiceCommand = (
  host: Host,
  report: Report,
  options: ServiceOptions,
) => Promise<number>;
