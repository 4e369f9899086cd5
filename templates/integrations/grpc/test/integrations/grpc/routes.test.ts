import { expect, test } from "vitest";
import { BalanceService } from "../../../src/integrations/grpc/gen/fetch/members/v1/balances_pb.ts";
import { createClients } from "../../../src/integrations/grpc/index.ts";
import { memoryChannel } from "../../../src/platform/grpc/memory-channel.ts";
import { GrpcError, type GrpcStatus } from "../../../src/platform/grpc/status.ts";
import { createTestApp, errorOf, type TestApp } from "../../support.ts";

const url = "/api/v1/members/m-1/balance";

function spend(app: TestApp, points: number, member = "m-1") {
  const payload = { points };
  return app.inject({ method: "POST", url: `/api/v1/members/${member}/spendings`, payload });
}

test("a member's balance is read", async () => {
  await using app = await createTestApp();
  const response = await app.inject({ url });
  expect([response.statusCode, response.json()]).toEqual([200, { points: 1_250, tier: "base" }]);
});

test("points are spent while there are enough", async () => {
  await using app = await createTestApp();
  expect((await spend(app, 1_000)).json()).toEqual({ points: 250 });
  const tooMany = await spend(app, 251);
  expect([tooMany.statusCode, errorOf(tooMany).code]).toEqual([409, "CONFLICT"]);
});

test("a member that does not exist is not found", async () => {
  await using app = await createTestApp();
  const response = await app.inject({ url: "/api/v1/members/m-2/balance" });
  expect([response.statusCode, errorOf(response).code]).toEqual([404, "NOT_FOUND"]);
  expect((await spend(app, 1, "m-2")).statusCode).toBe(404);
});

test.each<[GrpcStatus, number]>([
  ["UNAVAILABLE", 503],
  ["DEADLINE_EXCEEDED", 502],
  ["INTERNAL", 502],
])("a server that answers %s is a %i that tells nothing of it", async (status, expected) => {
  const fails = memoryChannel(BalanceService, {
    getBalance() {
      throw new GrpcError(status, "no connection to db-7");
    },
  });
  await using app = await createTestApp({ deps: { grpc: createClients(fails) } });
  const response = await app.inject({ url });
  expect(response.statusCode).toBe(expected);
  expect(response.body).not.toContain("db-7");
});
