import { z } from "zod";
import { AppError } from "../../platform/errors.ts";
import { onStatus } from "../../platform/grpc/status.ts";
import { defineRoute, type Route } from "../../platform/route.ts";
import { Tier } from "./gen/fetch/members/v1/balances_pb.ts";

const tags = ["members"];
const params = z.object({ memberId: z.string().regex(/^[\w-]{1,64}$/, "must be a member's id") });
const points = z.int().min(0);

const getBalance = defineRoute({
  method: "GET",
  path: "/api/v1/members/{memberId}/balance",
  summary: "Read a member's balance",
  tags,
  params,
  responses: {
    200: z.object({ points, tier: z.enum(["base", "gold"]) }).meta({ id: "Balance" }),
  },
  errors: ["NOT_FOUND", "EXTERNAL_SERVICE_ERROR", "OVERLOADED"],
  async handler({ params: { memberId }, deps, signal }) {
    const balance = await deps.grpc.balances
      .getBalance({ memberId }, { signal })
      .catch(onStatus("NOT_FOUND", noMember));
    return { points: Number(balance.points), tier: tierName(balance.tier) };
  },
});

const spendPoints = defineRoute({
  method: "POST",
  path: "/api/v1/members/{memberId}/spendings",
  summary: "Take points off a member's balance",
  tags,
  params,
  body: z.object({ points: z.int().min(1).max(1_000_000) }).meta({ id: "Spending" }),
  responses: { 200: z.object({ points }).meta({ id: "PointsLeft" }) },
  errors: ["NOT_FOUND", "CONFLICT", "EXTERNAL_SERVICE_ERROR", "OVERLOADED"],
  async handler({ params: { memberId }, body, deps, signal }) {
    const left = await deps.grpc.balances
      .spendPoints({ memberId, points: BigInt(body.points) }, { signal })
      .catch(onStatus("NOT_FOUND", noMember))
      .catch(onStatus("FAILED_PRECONDITION", tooFewPoints));
    return { points: Number(left.points) };
  },
});

export const grpcRoutes: Route[] = [getBalance, spendPoints];

/** A tier that is newer than this service counts as the base one. */
function tierName(tier: Tier): "base" | "gold" {
  return tier === Tier.GOLD ? "gold" : "base";
}

function noMember(): AppError {
  return new AppError("NOT_FOUND", "There is no member with this id");
}

function tooFewPoints(): AppError {
  return new AppError("CONFLICT", "The member has too few points");
}
