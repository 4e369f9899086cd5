import type { Channel } from "../../platform/grpc/channel.ts";
import { memoryChannel } from "../../platform/grpc/memory-channel.ts";
import { GrpcError } from "../../platform/grpc/status.ts";
import { BalanceService, Tier } from "./gen/fetch/members/v1/balances_pb.ts";

/** The members' server in memory: `m-1` has 1,250 points, other members do not exist. */
export function membersInMemory(): Channel {
  const points = new Map([["m-1", 1_250n]]);

  function pointsOf(memberId: string): bigint {
    const found = points.get(memberId);
    if (found === undefined) throw new GrpcError("NOT_FOUND", `no member ${memberId}`);
    return found;
  }

  return memoryChannel(BalanceService, {
    getBalance: ({ memberId }) => ({ points: pointsOf(memberId), tier: Tier.BASE }),
    spendPoints({ memberId, points: spent }) {
      const left = pointsOf(memberId) - spent;
      if (left < 0n) throw new GrpcError("FAILED_PRECONDITION", "too few points");
      points.set(memberId, left);
      return { points: left };
    },
  });
}
