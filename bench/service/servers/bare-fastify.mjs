// The framework alone, doing the same JSON work: the yardstick. Run in a service's folder, whose Fastify it takes.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { score } from "./receipt.mjs";

const { default: fastify } = await import(createRequire(`${process.cwd()}/`).resolve("fastify"));
const rules = JSON.parse(readFileSync(process.env.BENCH_RULES, "utf8"));

const app = fastify();
// oxlint-disable oxc/no-async-endpoint-handlers -- that is about Express 4
app.get("/health", async () => ({ status: "healthy", version: "0.1.0" }));
app.post("/api/v1/receipts/points", async (request) => score(request.body));
app.get("/api/v1/receipts/rules", async () => rules);
await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
