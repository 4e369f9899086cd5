import type { Registry } from "@prometheus-io/client";
import type { HttpClient } from "./http-client.ts";
import type { Logger } from "./logging.ts";
import { SettingsError, type StandardSettings } from "./settings.ts";

/** Filled in by src/deps.ts, with `declare module`. */
// oxlint-disable-next-line typescript/no-empty-object-type -- an interface, because only those can be added to
export interface Register {}

export interface StandardDeps {
  settings: StandardSettings;
  log: Logger;
  metrics: Registry;
  http: HttpClient;
}

/** The dependencies of this service, as src/deps.ts registers them. */
export type ServiceDeps = Register extends { deps: infer Registered } ? Registered : StandardDeps;

/** Asks one dependency whether it works. Only critical ones make the service unready. */
export interface ReadinessCheck {
  name: string;
  critical: boolean;
  /** Rejects when the dependency does not work. */
  check(): Promise<void>;
}

/** One outside system: how to open, check and close it. One folder under integrations/. */
export interface Integration<Client = unknown, Settings = never> {
  /** Neither waits for the system nor fails because it is down: the service starts without it, unready. */
  open(settings: Settings, log: Logger, metrics: Registry): Client | Promise<Client>;
  /** The same without the system, for development: the setting IN_MEMORY chooses it. */
  openInMemory?(settings: Settings, log: Logger, metrics: Registry): Client | Promise<Client>;
  check(client: Client): Promise<void>;
  close(client: Client): void | Promise<void>;
  /** Starts the work beside the requests, in the one process of the cluster that is there for it. */
  background?(client: Client, deps: ServiceDeps): Background;
}

/** An integration as integrations/index.ts lists it. */
export type ListedIntegration = Integration & {
  /** Whether the service is unready without it. */
  critical: boolean;
};

/** Work that goes on beside the requests, such as a consumer's. */
export interface Background {
  /** Rejects when the work does not get on. */
  check(): Promise<void>;
  /** Finishes what has begun, and begins nothing more. */
  stop(): Promise<void>;
}

export type ClientsOf<Integrations> = {
  [Name in keyof Integrations]: Integrations[Name] extends { open(...args: never): infer Client }
    ? Awaited<Client>
    : never;
};

/** Everything that was opened at start. Disposing of it closes all in reverse order. */
export interface Lifespan<Opened> extends AsyncDisposable {
  deps: Opened;
  checks: ReadinessCheck[];
}

/** Opens dependencies one after the other, and remembers how to close and check them. */
export interface Opener {
  /**
   * Opens a dependency, unless the overrides hold it: then that one is taken, and never closed here.
   * @param close called at shutdown, after everything that was opened later is closed.
   */
  open<Client>(
    name: string,
    open: () => Client | Promise<Client>,
    close?: (client: Client) => void | Promise<void>,
  ): Promise<Client>;
  openAll<Integrations extends object>(
    integrations: Integrations,
    settings: { IN_MEMORY?: readonly string[] },
    log: Logger,
    metrics: Registry,
  ): Promise<ClientsOf<Integrations>>;
}

/**
 * Runs `start`, which opens what the service needs in order. When one step fails, what was opened before is closed
 * in reverse order and the failure goes on to the caller; on success the whole is handed over.
 */
export async function openLifespan<Opened extends object>(
  overrides: Partial<Opened>,
  start: (opener: Opener) => Promise<Opened>,
): Promise<Lifespan<Opened>> {
  await using stack = new AsyncDisposableStack();
  const checks: ReadinessCheck[] = [];
  const given = overrides as Record<string, unknown>;

  const opener: Opener = {
    async open(name, open, close) {
      if (name in given) return given[name] as never;
      const client = await open();
      if (close !== undefined) stack.defer(() => close(client));
      return client;
    },
    async openAll(integrations, settings, log, metrics) {
      const clients: Record<string, unknown> = {};
      const listed = Object.entries(integrations as Record<string, ListedIntegration>);
      const inMemory = chosenInMemory(listed, settings);
      if (inMemory.length > 0) log.info({ integrations: inMemory }, "in memory until the restart");
      for (const [name, integration] of listed) {
        const { critical, check, close } = integration;
        const open = inMemory.includes(name) ? integration.openInMemory! : integration.open;
        const client = await opener.open(name, () => open(settings as never, log, metrics), close);
        checks.push({ name, critical, check: () => check(client) });
        clients[name] = client;
      }
      return clients as ClientsOf<typeof integrations>;
    },
  };

  const deps = { ...(await start(opener)), ...overrides };
  const opened = stack.move();
  return { deps, checks, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The integrations to open in memory. @throws {SettingsError} for one that is not there, or that cannot be. */
function chosenInMemory(
  listed: readonly [name: string, ListedIntegration][],
  { IN_MEMORY = [] }: { IN_MEMORY?: readonly string[] },
): string[] {
  const possible = listed.flatMap(([name, { openInMemory }]) => (openInMemory ? [name] : []));
  if (IN_MEMORY.includes("all")) return possible;
  const problems = IN_MEMORY.filter((name) => !possible.includes(name)).map(
    (name) => `IN_MEMORY: ${name} is none of ${["all", ...possible].join(", ")}`,
  );
  if (problems.length > 0) throw new SettingsError(problems);
  return [...IN_MEMORY];
}

export interface BackgroundWork extends AsyncDisposable {
  /** Under `<name>_background`, because the client may be well while the work is not. */
  checks: ReadinessCheck[];
}

/** Starts the background work of every integration that has some. */
export function startBackgroundWork(integrations: object, deps: ServiceDeps): BackgroundWork {
  const stack = new AsyncDisposableStack();
  const checks: ReadinessCheck[] = [];
  const clients = deps as unknown as Record<string, unknown>;
  const listed = Object.entries(integrations as Record<string, ListedIntegration>);
  for (const [name, { critical, background }] of listed) {
    const work = background?.(clients[name], deps);
    if (work === undefined) continue;
    stack.defer(() => work.stop());
    checks.push({ name: `${name}_background`, critical, check: () => work.check() });
  }
  return { checks, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
