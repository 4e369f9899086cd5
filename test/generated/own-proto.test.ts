import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { beforeAll, describe, expect, it } from "vitest";

import { createService, runScript } from "../support/generated.ts";

/** Files of another team, with all that protobuf has. */
const PROTO = {
  "acme/common/money.proto": `syntax = "proto3";
package acme.common;

message Money {
  string currency = 1;
  int64 minor = 2;
}
`,
  "acme/ledger/v1/ledger.proto": `syntax = "proto3";
package acme.ledger.v1;

import "acme/common/money.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service LedgerService {
  rpc List(ListRequest) returns (Entry);
  rpc Watch(ListRequest) returns (stream Entry);
  rpc Upload(stream Entry) returns (google.protobuf.Empty);
}

enum Kind {
  KIND_UNSPECIFIED = 0;
  KIND_EARN = 1;
}

message ListRequest {
  optional int32 limit = 1;
  oneof since {
    google.protobuf.Timestamp time = 2;
    int64 id = 3;
  }
}

message Entry {
  uint64 id = 1;
  repeated Kind kinds = 2;
  map<string, string> labels = 3;
  map<int64, acme.common.Money> by_day = 4;
  google.protobuf.StringValue note = 5;
  google.protobuf.Struct extra = 6;
  bytes raw = 7;
}
`,
};

const GENERATED_TEST = ["test/integrations/grpc/generated.test.ts"];

describe("the interface of another server in a service with gRPC", () => {
  let directory: string;

  beforeAll(async () => {
    directory = await createService("own-proto", ["--integrations", "grpc"]);
    for (const [path, text] of Object.entries(PROTO)) {
      const file = join(directory, "proto", path);
      await mkdir(join(file, ".."), { recursive: true });
      await writeFile(file, text);
    }
  });

  it("fails the tests until the code is generated", async () => {
    await expect(runScript(directory, "test", GENERATED_TEST)).rejects.toThrow("ledger_pb.ts");
    await runScript(directory, "generate");
    await runScript(directory, "test", GENERATED_TEST);
  });

  it.each(["typecheck", "lint", "format:check"])("passes npm run %s then", async (script) => {
    await runScript(directory, script);
  });
});
