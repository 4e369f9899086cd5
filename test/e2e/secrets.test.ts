import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { launcherOf } from "../contract/service/launch.ts";
import { CREDENTIALS } from "../stack/credentials.ts";
import { startMoto } from "./moto.ts";
import { startService } from "./service/run.ts";

const SECRET = { version: "4.5.6", password: "correct horse battery staple" };

const stack = new AsyncDisposableStack();
let endpoint: string;
beforeAll(async () => {
  endpoint = await startMoto(stack);
  await createSecret("dev/service", JSON.stringify(SECRET));
});
afterAll(() => stack.disposeAsync());

const services = Object.entries(inject("services"));
describe.concurrent.each(services)("%s: secrets", (_name, directory) => {
  it("are settings of every process, and in no line of the log", async () => {
    const env = environment({
      VERSION: "aws-secret:dev/service#version",
      KAFKA_USERNAME: "someone",
      KAFKA_PASSWORD: "aws-secret:dev/service#password",
    });
    await using service = await startService(directory, env);
    for (let request = 0; request < 10; request += 1) {
      const response = await fetch(`${service.url}/health/version`);
      expect(await response.json()).toMatchObject({ version: SECRET.version });
    }
    const log = JSON.stringify(await service.lines());
    expect(log).toContain('"service ready"');
    expect(log).not.toContain(SECRET.password);
  });

  it("that are missing are listed with the other problems, and nothing starts", async () => {
    const env = environment({
      KAFKA_PASSWORD: "aws-secret:dev/other#password",
      PAGE_CURSOR_KEY: "aws-secret:dev/service#key",
      LOG_LEVEL: "loud",
    });
    const instance = await launcherOf(directory)({ environment: env, atOnce: true });
    expect(await instance.exited).toMatchObject({ code: 3 });
    const { problems } = JSON.parse((await instance.output()).at(-1) ?? "") as {
      problems: string[];
    };
    expect(problems).toEqual([
      expect.stringMatching(
        /^KAFKA_PASSWORD: .*dev\/other#password \(ResourceNotFoundException\)$/,
      ),
      expect.stringMatching(/^PAGE_CURSOR_KEY: .*\(it has no text under key\)$/),
      expect.stringMatching(/^LOG_LEVEL: /),
    ]);
  });

  it("are given up after ten seconds when nobody answers", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const env = environment({
      VERSION: "aws-secret:dev/service#version",
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${port}`,
    });
    const startedAt = performance.now();
    const instance = await launcherOf(directory)({ environment: env, atOnce: true });
    expect(await instance.exited).toMatchObject({ code: 3 });
    expect(performance.now() - startedAt).toBeLessThan(60_000);
    expect(instance.allOutput()).toContain("VERSION: names a secret");
    silent.close();
  });

  it("are read by the commands, too", async () => {
    const { stdout } = await execa(process.execPath, ["dist/dynamodb-create-table.js"], {
      cwd: directory,
      env: environment({ DYNAMODB_TABLE: "aws-secret:dev/service#version" }),
    });
    expect(stdout).toContain(`table ${SECRET.version} `);
  });
});

function environment(settings: Record<string, string>): Record<string, string> {
  return { ENVIRONMENT: "dev", AWS_ENDPOINT_URL: endpoint, ...CREDENTIALS, ...settings };
}

async function createSecret(name: string, text: string): Promise<void> {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      "Content-Type": "application/x-amz-json-1.1",
      "X-Amz-Target": "secretsmanager.CreateSecret",
      // By it moto knows the region; it checks no signature.
      Authorization: `AWS4-HMAC-SHA256 Credential=${CREDENTIALS.AWS_ACCESS_KEY_ID}/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0`,
    },
    body: JSON.stringify({ Name: name, SecretString: text }),
  });
  expect(response.status, await response.text()).toBe(200);
}
