import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { oas31 } from "zod-openapi";
import type { ErrorCode } from "./errors.ts";
import type { ServiceDeps } from "./lifespan.ts";
import type { Logger } from "./logging.ts";
import { withTimeout } from "./timing.ts";

/** A way to authenticate, as openapi.json describes it and the Authorize button of /docs offers it. */
export interface SecurityScheme {
  name: string;
  /** An OpenAPI 3.1 security scheme, such as `{ type: "http", scheme: "bearer" }`. */
  scheme: oas31.SecuritySchemeObject;
  /** What the caller must be allowed, for documentation; the dependency checks it. */
  scopes?: string[];
}

/** What a dependency is made from. The parts of the request are not checked. */
export interface DependencyInput<Needs> {
  req: IncomingMessage;
  headers: IncomingHttpHeaders;
  params: Record<string, string>;
  query: Record<string, unknown>;
  depends: Needs;
  deps: ServiceDeps;
  log: Logger;
  /** Aborted when the client goes away before the answer: what waits here shall give up then. */
  signal: AbortSignal;
}

// oxlint-disable-next-line typescript/no-explicit-any -- a list of dependencies holds them of every type
export type AnyDependency = Dependency<any>;
export type Dependencies = Record<string, AnyDependency>;
export type NoDependencies = Record<string, never>;

export type ValuesOf<Needs extends Dependencies> = {
  [Name in keyof Needs]: Needs[Name] extends Dependency<infer Value> ? Value : never;
};

interface Definition<Value, Needs extends Dependencies> {
  /** Dependencies of this one: opened before it, closed after it. */
  depends?: Needs;
  errors?: ErrorCode[];
  security?: SecurityScheme;
  open(input: DependencyInput<ValuesOf<Needs>>): Value | Promise<Value>;
  /**
   * Called after the answer, also when the handler threw or the client left.
   * @param outcome `error` is what was thrown, or why the answer was never finished; undefined when all went well.
   */
  close?(value: Value, outcome: { error: unknown }): void | Promise<void>;
}

/** A value that is made once per request, such as its user, tenant or transaction: FastAPI's `Depends`. */
export class Dependency<Value> {
  /** Keeps the type of the value. */
  declare readonly value: Value;
  // oxlint-disable-next-line typescript/no-explicit-any -- of whatever it needs
  readonly definition: Definition<Value, any>;

  // oxlint-disable-next-line typescript/no-explicit-any -- of whatever it needs
  constructor(definition: Definition<Value, any>) {
    this.definition = definition;
  }
}

/** Declares a per-request dependency; routes name it under `depends`. */
export function dependency<Value, Needs extends Dependencies = NoDependencies>(
  definition: Definition<Value, Needs>,
): Dependency<Value> {
  return new Dependency(definition);
}

/** What tests use in the place of dependencies: a function that makes the value. */
export type DependencyOverrides = Map<AnyDependency, () => unknown>;

/** How long a worker that stops waits for what uses dependencies, and then for each of their closes. */
const STOP_WAIT_MS = 1_500;

type RequestInput = Omit<DependencyInput<never>, "depends">;

export interface DependencyScopes {
  readonly dependencyOverrides: DependencyOverrides;
  /** Those that are not closed yet. */
  readonly scopes: Set<DependencyScope>;
}

/** The dependencies of one request: each is opened once, and all are closed in reverse order. */
export class DependencyScope {
  readonly #input: RequestInput;
  readonly #all: DependencyScopes;
  readonly #values = new Map<AnyDependency, Promise<unknown>>();
  readonly #opened: { name: string; close(outcome: { error: unknown }): unknown }[] = [];
  /** Work that uses the dependencies, with its name for the log: nothing is closed before it ends. */
  readonly #working = new Map<Promise<unknown>, string>();
  readonly #stopping = Promise.withResolvers<void>();
  /** Log lines of the closes have the request's ids, also when the worker that stops asks for them. */
  readonly #inRequest = AsyncLocalStorage.snapshot();
  #closing: Promise<void> | undefined;

  /** @param all its `scopes` hold this one until it is closed. */
  constructor(input: RequestInput, all: DependencyScopes) {
    this.#input = input;
    this.#all = all;
    all.scopes.add(this);
  }

  /** Opens dependencies one after the other. @throws what one of them threw, or that the request is over. */
  async openAll(wanted: Dependencies): Promise<Record<string, unknown>> {
    const values: Record<string, unknown> = {};
    for (const [name, one] of Object.entries(wanted)) values[name] = await this.#open(name, one);
    this.throwIfOver();
    return values;
  }

  /** @throws {Error} when the request is over: its dependencies are closed, or will be. */
  throwIfOver(): void {
    if (this.#closing !== undefined) throw new Error("the request was over before its handler ran");
  }

  /** Keeps the dependencies open until `work`, which uses them, is settled. */
  keepOpenFor(work: Promise<unknown>, name: string): void {
    this.#working.set(work, name);
    const forget = (): void => void this.#working.delete(work);
    work.then(forget, forget);
  }

  /** Closes what was opened, once nothing uses it. What a close throws is logged: the answer is on its way. */
  close(reason: unknown): Promise<void> {
    this.#closing ??= this.#inRequest(() => this.#closeAll(reason));
    return this.#closing;
  }

  /** Closes in a bounded time, as the worker stops: whoever hangs is logged and left behind. */
  async stop(reason: unknown): Promise<void> {
    this.#stopping.resolve();
    await this.close(reason);
  }

  async #closeAll(reason: unknown): Promise<void> {
    await this.#waitFor(this.#settled(), () => [...this.#working.values()].join(", "));
    for (const { name, close } of this.#opened.toReversed()) {
      const closed = Promise.try(close, { error: reason }).catch((failure: unknown) => {
        this.#input.log.error({ error: failure }, "closing a request's dependency failed");
      });
      await this.#waitFor(closed, () => `the close of ${name}`);
    }
    this.#all.scopes.delete(this);
  }

  /** Work may add more work, as a handler does that returns a stream. */
  async #settled(): Promise<void> {
    while (this.#working.size > 0) await Promise.allSettled(this.#working.keys());
  }

  /** Waits as long as `work` takes, but not for ever once the worker stops. */
  async #waitFor(work: Promise<unknown>, nameOf: () => string): Promise<void> {
    await Promise.race([work, this.#stopping.promise]);
    try {
      await withTimeout(work, STOP_WAIT_MS);
    } catch {
      const hangs = nameOf();
      this.#input.log.error(
        { hangs },
        "a request's dependencies hang: the worker stops all the same",
      );
    }
  }

  #open(name: string, wanted: AnyDependency): Promise<unknown> {
    const known = this.#values.get(wanted);
    if (known !== undefined) return known;
    const opening = this.#make(name, wanted);
    this.#values.set(wanted, opening);
    this.keepOpenFor(opening, `the open of ${name}`);
    return opening;
  }

  async #make(name: string, wanted: AnyDependency): Promise<unknown> {
    const override = this.#all.dependencyOverrides.get(wanted);
    if (override !== undefined) return override();
    const { depends = {}, open, close } = wanted.definition;
    const needs = await this.openAll(depends as Dependencies);
    const value: unknown = await open({ ...this.#input, depends: needs as never });
    if (close !== undefined) this.#opened.push({ name, close: (outcome) => close(value, outcome) });
    return value;
  }
}

/** All dependencies that these bring with them, themselves included: for openapi.json. */
export function withNested(
  wanted: Dependencies = {},
  all = new Set<AnyDependency>(),
): Set<AnyDependency> {
  for (const one of Object.values(wanted)) {
    if (!all.has(one)) withNested(one.definition.depends as Dependencies, all.add(one));
  }
  return all;
}
