// The framework alone, doing the same JSON work: the yardstick. Run in a service's folder, whose Express it takes.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { score } from "./receipt.mjs";

const { default: express } = await import(createRequire(`${process.cwd()}/`).resolve("express"));
const rules = JSON.parse(readFileSync(process.env.BENCH_RULES, "utf8"));

const app = express();
// Neither does the service hash its answers, nor say what made them.
app.disable("etag").disable("x-powered-by");
app.use(express.json());
app.get("/health", (_request, response) => response.json({ status: "healthy", version: "0.1.0" }));
app.post("/api/v1/receipts/points", (request, response) => response.json(score(request.body)));
app.get("/api/v1/receipts/rules", (_request, response) => response.json(rules));
app.listen(Number(process.env.PORT), "127.0.0.1");
