import { createClients, type GrpcClients } from "../../../src/integrations/grpc/index.ts";
import { membersInMemory } from "../../../src/integrations/grpc/memory.ts";

/** Servers in memory: what tests get as `deps.grpc`. */
export function createFake(): GrpcClients {
  return createClients(membersInMemory());
}
