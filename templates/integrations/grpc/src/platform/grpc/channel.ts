import { X509Certificate } from "node:crypto";
import { addAbortListener } from "node:events";
import { readFileSync } from "node:fs";
import {
  create,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { ChannelCredentials, ChannelOptions } from "@grpc/grpc-js";
import type { Logger } from "../logging.ts";
import { SettingsError } from "../settings.ts";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus,
} from "./health_pb.ts";
import { GrpcError, statusOf } from "./status.ts";

/** One call, as a channel is asked for it. */
export interface ChannelCall {
  method: DescMethodUnary;
  request: Message;
  metadata: Record<string, string>;
  /** How long it may take with its retries. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** The way to a server: `openChannel`, or `memoryChannel` in the place of one. */
export interface Channel {
  /** @throws {GrpcError} */
  call(call: ChannelCall): Promise<Message>;
  /** Rejects when the server does not serve. */
  check(): Promise<void>;
  close(): void;
}

/** Where a server is, and how it is spoken to. */
export interface ChannelTarget {
  /** `host:port`, all of whose IP addresses are called in turn, or a list of them: `ipv4:10.0.0.1:50051,10.0.0.2:50051`. */
  address: string;
  /** Undefined for a connection in the clear. */
  tls?: TlsFiles | undefined;
  /** Those that are called: of their idempotent methods the channel repeats what fails. */
  services: readonly DescService[];
  /** How long a call may take at most. */
  timeoutMs?: number;
  /** After how long without a call a connection is closed, or up to ten seconds later; 240,000 ms when left out. */
  idleMs?: number;
  /** Where the library complains; otherwise it writes to standard error. */
  log?: Logger;
}

/** Each as PEM, or as the path of a file. */
export interface TlsFiles {
  /** Authorities to trust; those that Node knows when left out. */
  ca?: string | undefined;
  /** The client's own, for a server that asks who calls. */
  cert?: string | undefined;
  key?: string | undefined;
}

const CHECK_TIMEOUT_MS = 1_500;

/**
 * Opens a channel. It connects when it is first used, and again whenever it has to: a server that is away is no reason
 * not to start.
 * @throws {SettingsError} when a file of `tls` cannot be read or used.
 */
export async function openChannel(target: ChannelTarget): Promise<Channel> {
  const { address, tls, log } = target;
  const { Client: GrpcJsClient, credentials, Metadata, setLogger } = await import("@grpc/grpc-js");
  if (log !== undefined) setLogger(libraryLogger(log));
  const secure: ChannelCredentials =
    tls === undefined
      ? credentials.createInsecure()
      : usable(() => {
          const [ca, key, cert] = [readPem(tls.ca), readPem(tls.key), readPem(tls.cert)];
          // Node trusts nobody, and says nothing, for an authority that is none.
          if (ca !== null) void new X509Certificate(ca);
          return credentials.createSsl(ca, key, cert);
        });
  const client = new GrpcJsClient(address, secure, channelOptions(target));

  async function call({ method, metadata, request, timeoutMs, signal }: ChannelCall) {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const sent = client.makeUnaryRequest<Message, Message>(
      `/${method.parent.typeName}/${method.name}`,
      (message) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      request,
      Metadata.fromHttp2Headers(metadata),
      { deadline: Date.now() + timeoutMs },
      (error, answer) => {
        if (error === null) resolve(answer!);
        else reject(new GrpcError(statusOf(error.code), error.details, { cause: error }));
      },
    );
    if (signal === undefined) return promise;
    using _listener = addAbortListener(signal, () => sent.cancel());
    return await promise;
  }

  return {
    call,
    check: () => checkHealth(call),
    close: () => client.close(),
  };
}

function channelOptions({
  services,
  timeoutMs = 0,
  idleMs = 240_000,
}: ChannelTarget): ChannelOptions {
  return {
    "grpc.service_config": JSON.stringify({
      loadBalancingConfig: [{ round_robin: {} }],
      methodConfig: [{ name: services.flatMap(idempotentMethods), retryPolicy: RETRY_POLICY }],
      retryThrottling: { maxTokens: 50, tokenRatio: 0.2 },
    }),
    // The one above, and not what a DNS record says.
    "grpc.service_config_disable_resolution": 1,
    // A load balancer forgets a connection that nothing passes over, and does not always say so (AWS' NLB after 350 s).
    // So an idle one is closed before that, and opened again by the next call: pings would keep it open, but servers
    // close a connection with ENHANCE_YOUR_CALM when a client without calls sends them more often than every 5 minutes.
    "grpc.client_idle_timeout_ms": idleMs,
    // While calls wait, pings find out that nobody is there any longer. A server takes the fifth without an answer of
    // its own in between for an attack: a call is over before that.
    "grpc.keepalive_time_ms": Math.max(10_000, timeoutMs / 4),
    "grpc.keepalive_timeout_ms": 3_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
    // New tasks of a server that was scaled out are found when a connection ends, at most this often.
    "grpc.dns_min_time_between_resolutions_ms": 5_000,
  };
}

const RETRY_POLICY = {
  maxAttempts: 4,
  // With full jitter, and within the deadline of the call.
  initialBackoff: "0.1s",
  backoffMultiplier: 3,
  maxBackoff: "1s",
  // CANCELLED is what a server answers to calls that it has no time left for when it stops. Ours are not repeated.
  retryableStatusCodes: ["UNAVAILABLE", "CANCELLED"],
};

function idempotentMethods({ typeName, methods }: DescService) {
  return methods.filter(isIdempotent).map(({ name }) => ({ service: typeName, method: name }));
}

function isIdempotent({ idempotency }: DescMethod): boolean {
  return idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
}

function libraryLogger(log: Logger): Partial<Console> {
  const error = (...parts: unknown[]): void =>
    log.warn({ detail: parts.join(" ") }, "gRPC has a problem");
  return { error, info() {}, debug() {} };
}

/** By gRPC's own health service; a server that has none, but answers, is well. */
async function checkHealth(call: Channel["call"]): Promise<void> {
  const method = Health.method.check;
  const request = create(HealthCheckRequestSchema);
  try {
    const answer = await call({ method, request, metadata: {}, timeoutMs: CHECK_TIMEOUT_MS });
    const { status } = answer as Message & { status: number };
    if (status !== HealthCheckResponse_ServingStatus.SERVING) {
      throw new Error(`the server says that it does not serve (${status})`);
    }
  } catch (error) {
    if (!(error instanceof GrpcError && error.status === "UNIMPLEMENTED")) throw error;
  }
}

function readPem(given: string | undefined): Buffer | null {
  if (given === undefined) return null;
  return given.includes("-----BEGIN") ? Buffer.from(given) : readFileSync(given);
}

function usable<Result>(make: () => Result): Result {
  try {
    return make();
  } catch (error) {
    throw new SettingsError([`a certificate or key of gRPC: ${(error as Error).message}`]);
  }
}
