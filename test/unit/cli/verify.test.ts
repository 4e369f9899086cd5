import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { text } from "node:stream/consumers";

import { afterEach, describe, expect, it } from "vitest";

import { UserError } from "../../../src/errors.ts";
import { runFake } from "../../support/fake-host.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers as the standard says at the health routes; `wrong` takes the place of one of them. */
const healthy =
  (wrong: Record<string, object> = {}): RequestListener =>
  (req, res) => {
    const version = "1.2.3";
    const bodies: Record<string, object> = {
      "/health": { status: "healthy", version },
      "/health/ready": { status: "ready", checks: {} },
      "/health/version": { service: "demo", version, environment: "dev" },
      ...wrong,
    };
    const body = bodies[(req.url ?? "").split("?")[0] ?? ""];
    res.writeHead(body ? 200 : 404, { "Content-Type": "application/json" });
    res.end(JSON.stringify(body ?? {}));
  };

const HEALTH = ["--only", "health.live,health.ready", "--only", "health.version"];

describe("verify", () => {
  it("ends with 0 when the service meets what was checked, sentence by sentence", async () => {
    const { code, out } = await runFake(["verify", await serve(healthy()), ...HEALTH]);
    expect(code).toBe(0);
    expect(out).toMatch(/^✓ GET \/health: 200 .* \(3 of 3 passed\)$/m);
    expect(out).toMatch(/must +5 passed, 0 failed, 0 not checked/);
    expect(out).toContain("✓ The service meets 3 sentences of the standard");
  });

  it("ends with 1 and says what was sent, what came and what the standard says", async () => {
    const url = await serve(healthy({ "/health/version": { version: "one" } }));
    const { code, out } = await runFake(["verify", url, ...HEALTH]);
    expect(code).toBe(1);
    expect(out).toMatch(/^✗ GET \/health\/version: \{"service","version","environment"\}/m);
    expect(out).toMatch(/^ {4}health\.version: /m);
    expect(out).toMatch(/^ {6}sent {2}GET \/health\/version HTTP\/1\.1$/m);
    expect(out).toMatch(/^ {6}came {2}HTTP\/1\.1 200 OK$/m);
    expect(out).toMatch(/breaks \d of 3 sentences of the standard/);
  });

  it("lets hardening fail, unless it is strict", async () => {
    const url = await serve((req, res) => {
      if (req.method === "HEAD") res.statusCode = 405;
      healthy()(req, res);
    });
    const args = ["verify", url, "--only", "health.live,head.errors"];
    const lenient = await runFake(args);
    expect(lenient.code).toBe(0);
    expect(lenient.out).toMatch(/^ {4}hardening: head\.errors: HEAD 404: no X-Request-ID$/m);
    const strict = await runFake([...args, "--strict"]);
    expect(strict.code).toBe(1);
  });

  it("leaves out what could take the service down, unless it may", async () => {
    const args = ["verify", await serve(healthy()), "--only", "protocol.many-at-once,health.live"];
    const { code, out } = await runFake(args);
    expect(code).toBe(0);
    expect(out).toContain("1 not checked: it could take a weak service down");
    expect((await runFake([...args, "--destructive"])).out).not.toContain("not checked: it");
  });

  it("prints one document with every case", async () => {
    const url = await serve(healthy());
    const { code, out } = await runFake(["verify", url, ...HEALTH, "--json"]);
    expect(code).toBe(0);
    const { verify } = JSON.parse(out);
    expect(verify).toMatchObject({ url, counts: { must: { passed: 5, failed: 0 } } });
    expect(verify.sentences[0].cases[0]).toMatchObject({ id: "health.live", level: "must" });
  });

  it("takes a name that is empty for none", async () => {
    const args = ["--only", "health.live,", "--skip", "", "--json"];
    const { out } = await runFake(["verify", await serve(healthy()), ...args]);
    expect(JSON.parse(out).verify.sentences).toHaveLength(1);
  });

  it("writes JUnit's format", async () => {
    const disk = new MemoryDisk({ "/home": null });
    const url = await serve(healthy({ "/health": { status: "<ill>" } }));
    const args = ["verify", url, "--only", "health.live,metrics.format", "--junit", "out/a.xml"];
    const { code } = await runFake(args, { disk });
    expect(code).toBe(1);
    const xml = disk.text("/home/out/a.xml");
    expect(xml).toMatch(/<testsuite name="GET \/health: .*" tests="3" failures="\d"/);
    expect(xml).toMatch(/<failure type="must" message=".*">sent:&#10;GET \/health/);
    expect(xml).toContain("&lt;ill&gt;");
    expect(xml).toContain('<skipped message="the address of the metrics is not given"/>');
  });

  it("tries bodies on a route of the OpenAPI document, or on the one that is named", async () => {
    const bodies: string[] = [];
    const document = { paths: { "/a/{id}": {}, "/things": { post: post({ type: "object" }) } } };
    const named = { required: ["name"], properties: { name: { type: "string" } } };
    document.paths["/things"].post = post(named);
    const url = await serve((req, res) => {
      if (req.url === "/openapi.json") return void res.end(JSON.stringify(document));
      if (req.method !== "POST") return healthy()(req, res);
      void text(req).then((body) => {
        bodies.push(body);
        res.end("{}");
      });
    });
    const args = ["verify", url, "--only", "bodies.valid"];
    const { code, out } = await runFake([...args, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out).verify.route).toBe("/things");
    expect(bodies[0]).toBe('{"name":"a"}');

    const disk = new MemoryDisk({ "/home/body.json": '{"mine":1}' });
    await runFake([...args, "--route", "/mine", "--body", "body.json"], { disk });
    expect(bodies.at(-1)).toContain("mine");
  });

  it("says that JUnit's file cannot be written before it checks anything", async () => {
    let requests = 0;
    const url = await serve(() => (requests += 1));
    const disk = new MemoryDisk({ "/home": null, "/home/out": "a file" });
    const args = ["verify", url, ...HEALTH, "--junit", "out/results.xml"];
    const { code, err } = await runFake(args, { disk });
    expect(code).toBe(2);
    expect(err).toContain("out/results.xml cannot be written");
    expect(requests).toBe(0);
  });

  it("waits for nobody who would read JUnit's file from a pipe", async () => {
    const pipe = { kindOf: async () => "other" as const };
    const disk = Object.assign(new MemoryDisk({ "/home": null }), pipe);
    const args = ["verify", "http://127.0.0.1:1", ...HEALTH, "--junit", "pipe"];
    const { code, err } = await runFake(args, { disk });
    expect(code).toBe(2);
    expect(err).toContain("pipe cannot be written: it is not a file");
  });

  it("shows its results before it says that JUnit's file cannot be written at the end", async () => {
    const disk = new MemoryDisk({ "/home": null });
    const write = disk.writeFile.bind(disk);
    disk.writeFile = async (path, bytes, mode) => {
      if (bytes.length > 0) throw new Error("the disk is full");
      await write(path, bytes, mode);
    };
    const args = ["verify", await serve(healthy()), ...HEALTH, "--junit", "out/results.xml"];
    const { code, out, err } = await runFake(args, { disk });
    expect(code).toBe(2);
    expect(out).toContain("✓ The service meets 3 sentences of the standard");
    expect(err).toContain("cannot be written");
  });

  it.each(["/api", "?a=1", "/#top"])("refuses an address with %s", async (rest) => {
    const { code, err } = await runFake(["verify", `${await serve(healthy())}${rest}`, ...HEALTH]);
    expect(code).toBe(2);
    expect(err).toContain("the routes of the standard are at the root");
  });

  it("goes on when the service's own OpenAPI document is not JSON", async () => {
    const url = await serve((req, res) => {
      if (req.url === "/openapi.json") res.end("{");
      else healthy()(req, res);
    });
    expect((await runFake(["verify", url, ...HEALTH])).code).toBe(0);
  });

  it("says so when nothing could be checked", async () => {
    const args = ["verify", await serve(healthy()), "--only", "process"];
    const { code, out, err } = await runFake(args);
    expect(code).toBe(2);
    expect(out).toContain("not checked: the command that starts the service is not given");
    expect(err).toContain("nothing could be checked");
  });

  it.each([
    [[], "the service is not named"],
    [["localhost:8000"], "not an address"],
    [["http://127.0.0.1:1", "--only", "helth"], "no check begins with helth"],
    [["http://127.0.0.1:1", "--only", "health", "--skip", "health"], "leave no check"],
    [["http://127.0.0.1:1"], "does not answer"],
  ])("ends with 2 for %j", async (args, message) => {
    let time = 0;
    const { code, err } = await runFake(["verify", ...args], { now: () => (time += 10_000) });
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  // The first when it looks for the service, the second when it checks it.
  it.each(["/health", "/health/ready"])("ends when it is interrupted at %s", async (silent) => {
    const controller = new AbortController();
    const url = await serve((req, res) => {
      if (req.url !== silent) return healthy()(req, res);
      return controller.abort(new UserError("INTERRUPTED", "interrupted"));
    });
    const { code } = await runFake(["verify", url, ...HEALTH], { signal: controller.signal });
    expect(code).toBe(130);
  });

  it.each([
    ["Transfer-Encoding: chunked", "ZZZ\r\n"],
    ["Transfer-Encoding: chunked", "-5\r\n"],
    ["Content-Length: many", "{}"],
    ["Content-Length: -1", "{}"],
  ])("finds no end of a body with %s and %j", async (header, body) => {
    const server = createTcpServer((socket) =>
      socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n${body}`)),
    ).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    let time = 0;
    const { code, err } = await runFake(["verify", url], { now: () => (time += 10_000) });
    expect(code).toBe(2);
    expect(err).toContain("not the size of a body");
    server.close();
  });

  it("starts a service itself, and leaves nothing of it", async () => {
    const script = `
      const { createServer } = require("node:http");
      for (const port of [process.env.PORT, process.env.METRICS_PORT]) {
        createServer((req, res) => res.end("{}")).listen(port);
      }
      console.log("pid " + process.pid);`;
    const process = `node -e '${script.replaceAll(/\s+/g, " ")}'`;
    const only = "process.term-when-idle,process.bound-to";
    const args = ["verify", "--process", process, "--only", only, "--json"];
    const env = { PATH: globalThis.process.env["PATH"] };
    const { code, out } = await runFake(args, { cwd: import.meta.dirname, env });
    expect(code).toBe(1);
    const cases = JSON.parse(out).verify.sentences.flatMap((one: { cases: object[] }) => one.cases);
    expect(cases).toContainEqual(
      expect.objectContaining({ id: "process.bound-to-every-address", outcome: "passed" }),
    );
    // It has no handler for TERM, so a signal ends it.
    expect(cases).toContainEqual(
      expect.objectContaining({ id: "process.term-when-idle", outcome: "failed" }),
    );
  });
});

function post(schema: object): object {
  return { requestBody: { content: { "application/json": { schema } } } };
}
