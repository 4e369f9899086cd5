import { type Channel, type ChannelTarget, openChannel } from "../../platform/grpc/channel.ts";
import { createGrpcClient, type GrpcClient } from "../../platform/grpc/client.ts";
import type { Integration } from "../../platform/lifespan.ts";
import { SettingsError } from "../../platform/settings.ts";
import { BalanceService } from "./gen/fetch/members/v1/balances_pb.ts";
import { membersInMemory } from "./memory.ts";

/** What handlers get as `deps.grpc`: a client for each service that is called. Add yours here. */
export interface GrpcClients {
  balances: GrpcClient<typeof BalanceService>;
  check(): Promise<void>;
  close(): void;
}

interface GrpcSettings {
  ENVIRONMENT: string;
  GRPC_MEMBERS_ADDRESS?: string | undefined;
  GRPC_MEMBERS_TIMEOUT: number;
  GRPC_MEMBERS_TLS?: boolean | undefined;
  GRPC_MEMBERS_TLS_CA?: string | undefined;
  GRPC_MEMBERS_TLS_CERT?: string | undefined;
  GRPC_MEMBERS_TLS_KEY?: string | undefined;
}

export const grpc: Integration<GrpcClients, GrpcSettings> = {
  async open(settings, log, metrics) {
    const timeoutMs = settings.GRPC_MEMBERS_TIMEOUT * 1_000;
    const members = await openChannel({ ...membersTarget(settings), timeoutMs, log });
    return createClients(members, { metrics, timeoutMs });
  },
  openInMemory: (_settings, _log, metrics) => createClients(membersInMemory(), { metrics }),
  check: (clients) => clients.check(),
  close: (clients) => clients.close(),
};

/** @param members the way to the server; `membersInMemory` in the place of one. */
export function createClients(
  members: Channel,
  options?: Parameters<typeof createGrpcClient>[2],
): GrpcClients {
  return {
    balances: createGrpcClient(BalanceService, members, options),
    check: members.check,
    close: members.close,
  };
}

function membersTarget(settings: GrpcSettings): ChannelTarget {
  const { ENVIRONMENT, GRPC_MEMBERS_ADDRESS, GRPC_MEMBERS_TLS } = settings;
  const isDev = ENVIRONMENT === "dev";
  if (GRPC_MEMBERS_ADDRESS === undefined && !isDev) {
    throw new SettingsError([
      `GRPC_MEMBERS_ADDRESS: is required when ENVIRONMENT is ${ENVIRONMENT}`,
    ]);
  }
  const tls = {
    ca: settings.GRPC_MEMBERS_TLS_CA,
    cert: settings.GRPC_MEMBERS_TLS_CERT,
    key: settings.GRPC_MEMBERS_TLS_KEY,
  };
  return {
    address: GRPC_MEMBERS_ADDRESS ?? "localhost:50051",
    tls: (GRPC_MEMBERS_TLS ?? (!isDev || (tls.ca ?? tls.cert) !== undefined)) ? tls : undefined,
    services: [BalanceService],
  };
}
