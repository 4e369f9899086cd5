import { COMMON_EDITS, type Edit, type TeamWork } from "../../support/team-edits.ts";

/** Where a team lists a route of its own in 0.2.0, with the part of the platform that it has to import for it. */
export const APP_EDITS: readonly Edit[] = [
  {
    path: "src/app.ts",
    find: "import { listRules, scoreReceipt }",
    put: 'import { findStore, openStore } from "./routes/stores.ts";\nimport { listRules, scoreReceipt }',
  },
  {
    path: "src/app.ts",
    find: "[scoreReceipt, listRules,",
    put: "[scoreReceipt, listRules, findStore, openStore,",
  },
];

/** A step before all routes, in 0.2.0's own list of them. */
export const MIDDLEWARE_EDITS: readonly Edit[] = [
  {
    path: "src/app.ts",
    find: 'from "./platform/cors.ts";\n',
    put: 'from "./platform/cors.ts";\nimport { hoot } from "./middleware/hoot.ts";\n',
  },
  {
    path: "src/app.ts",
    find: "cors(deps.settings.CORS_ORIGINS)",
    put: "cors(deps.settings.CORS_ORIGINS), hoot",
  },
];

export const MIDDLEWARE_FILE = {
  "src/middleware/hoot.ts": `import type { Middleware } from "../platform/app.ts";

export const hoot: Middleware = ({ headers }, next) => {
  headers.push("X-Owls", "hoot");
  next();
};
`,
};

const EDITS: readonly Edit[] = [
  ...COMMON_EDITS,
  {
    path: "src/deps.ts",
    find: 'import type { Settings } from "./settings.ts";\n',
    put: 'import { createStores, type Stores } from "./services/stores.ts";\nimport type { Settings } from "./settings.ts";\n',
  },
  {
    path: "src/deps.ts",
    find: "  http: HttpClient;\n",
    put: "  http: HttpClient;\n  stores: Stores;\n",
  },
  {
    path: "src/deps.ts",
    find: "    ...(await lifespan.openAll",
    put: '    stores: await lifespan.open("stores", () => createStores(settings.STORE_REGION)),\n    ...(await lifespan.openAll',
  },
  {
    path: "src/settings.ts",
    find: "    METRICS_PORT: portSetting.default(8080),\n",
    put: '    METRICS_PORT: portSetting.default(8080),\n    STORE_REGION: z.string().default("north"),\n',
  },
  {
    path: "README.md",
    find: "SIGKILL; the drain has to fit |\n",
    put: "SIGKILL; the drain has to fit |\n| `STORE_REGION` | `north` | where the stores are |\n",
  },
  { path: "src/cluster.config.ts", find: 'workers: "auto"', put: "workers: 2" },
  {
    path: "test/support.ts",
    find: "export function errorOf",
    put: 'export const owls = { "x-owls": "hoot" };\n\nexport function errorOf',
  },
];

/** Services, routes and tests of the team's, that use what 0.2.0 offers them. */
const FILES: TeamWork["files"] = {
  "src/commands/seed.ts": 'process.stdout.write("seeded\\n");\n',
  "src/services/stores.ts": `export interface Stores {
  region: string;
  find(id: string): string | undefined;
  open(id: string, name: string): void;
}

export function createStores(region: string): Stores {
  const names = new Map([["0042", "The Owlery"]]);
  return {
    region,
    find: (id) => names.get(id),
    open: (id, name) => void names.set(id, name),
  };
}
`,
  "src/routes/stores.ts": `import { z } from "zod";
import { currentRequest } from "../platform/context.ts";
import { AppError } from "../platform/errors.ts";
import { defineRoute, reply } from "../platform/route.ts";

const params = z.object({ id: z.string().regex(/^\\d{4}$/) });
const store = z.object({ id: z.string(), name: z.string(), region: z.string() });

export const findStore = defineRoute({
  method: "GET",
  path: "/api/v1/stores/{id}",
  summary: "Find a store",
  params,
  query: z.object({ loud: z.stringbool().default(false) }),
  responses: { 200: store },
  errors: ["NOT_FOUND"],
  handler: ({ params: { id }, query, deps, log }) => {
    const name = deps.stores.find(id);
    if (name === undefined) throw new AppError("NOT_FOUND", \`No store \${id}\`);
    log.info({ store: id, request: currentRequest()?.requestId }, "store found");
    return { id, name: query.loud ? name.toUpperCase() : name, region: deps.stores.region };
  },
});

export const openStore = defineRoute({
  method: "PUT",
  path: "/api/v1/stores/{id}",
  summary: "Open a store",
  params,
  body: z.object({ name: z.string().min(1) }),
  responses: { 201: store },
  errors: ["CONFLICT"],
  handler: ({ params: { id }, body: { name }, deps: { stores } }) => {
    if (stores.find(id) !== undefined) {
      throw new AppError("CONFLICT", "There is one already", { headers: { "X-Store": id } });
    }
    stores.open(id, name);
    return reply(201, { id, name, region: stores.region }, { Location: \`/api/v1/stores/\${id}\` });
  },
});
`,
  "test/routes/stores.test.ts": `import { expect, test } from "vitest";
import { findStore, openStore } from "../../src/routes/stores.ts";
import { createStores } from "../../src/services/stores.ts";
import { createTestApp, errorOf, owls, type TestApp } from "../support.ts";

const routes = [findStore, openStore];
const url = "/api/v1/stores/0042";

function put(app: TestApp, id: string, payload: object) {
  return app.inject({ method: "PUT", url: \`/api/v1/stores/\${id}\`, payload, headers: owls });
}

test("finds a store, and says so in the log", async () => {
  await using app = await createTestApp({ routes, env: { STORE_REGION: "south" } });
  const headers = { "x-request-id": "r-1" };
  const response = await app.inject({ method: "GET", url: \`\${url}?loud=yes\`, headers });
  expect(response.statusCode).toBe(200);
  expect(response.headers["content-type"]).toBe("application/json");
  expect(response.headers["x-request-id"]).toBe("r-1");
  expect(response.json()).toEqual({ id: "0042", name: "THE OWLERY", region: "south" });
  expect(app.logs).toContainEqual(
    expect.objectContaining({ message: "store found", store: "0042", request: "r-1" }),
  );
  expect(app.requests.inFlight()).toEqual([]);
  expect(await app.metrics.registry.metrics()).toContain('http_route="/api/v1/stores/{id}"');
});

test("opens a store, once", async () => {
  await using app = await createTestApp({ routes, deps: { stores: createStores("west") } });
  const first = await put(app, "0007", { name: "Barn" });
  expect([first.statusCode, first.headers.location]).toEqual([201, "/api/v1/stores/0007"]);
  const second = await put(app, "0007", { name: "Barn" });
  expect([second.statusCode, second.headers["x-store"]]).toEqual([409, "0007"]);
  expect(errorOf(second)).toMatchObject({ code: "CONFLICT", message: "There is one already" });
});

test("refuses what is no store", async () => {
  await using app = await createTestApp({ routes });
  const unknown = await app.inject({ method: "GET", url: "/api/v1/stores/0001" });
  expect(errorOf(unknown)).toMatchObject({ code: "NOT_FOUND", message: "No store 0001" });
  const nameless = await put(app, "0008", {});
  expect(nameless.statusCode).toBe(400);
  expect(errorOf(nameless).details?.map(({ field }) => field)).toEqual(["body.name"]);
});
`,
};

/** The work of a team whose service has no integrations; what it lists in src/app.ts comes on top. */
export const PLAIN_WORK: TeamWork = {
  edits: EDITS,
  files: FILES,
  deleted: ["observability/alerts.yml"],
};

/** The work of a team with Kafka, DynamoDB and S3: handlers, entities and fakes of its own. */
export const FULL_WORK: TeamWork = {
  ...PLAIN_WORK,
  edits: [
    ...EDITS,
    {
      path: "src/integrations/kafka/events.ts",
      find: "/** A receipt was read",
      put: `/** A store has opened. */
export const storeOpened = defineEvent({
  type: "store.opened",
  schema: z.object({ id: z.string(), name: z.string() }),
  key: ({ id }) => id,
});

/** A receipt was read`,
    },
    {
      path: "src/integrations/kafka/handlers.ts",
      find: "import { receiptScanned }",
      put: "import { receiptScanned, storeOpened }",
    },
    {
      path: "src/integrations/kafka/handlers.ts",
      find: "  onEvent(receiptScanned,",
      put: `  onEvent(storeOpened, ({ data }, { deps, log }) => {
    deps.stores.open(data.id, data.name);
    log.info({ store: data.id }, "store opened");
  }),
  onEvent(receiptScanned,`,
    },
    {
      path: "src/integrations/dynamodb/index.ts",
      find: "import { type Receipt, receiptEntity }",
      put: 'import { type Opening, openingEntity } from "./opening.ts";\nimport { type Receipt, receiptEntity }',
    },
    {
      path: "src/integrations/dynamodb/index.ts",
      find: "  receipts: Repository<Receipt>;\n",
      put: "  receipts: Repository<Receipt>;\n  openings: Repository<Opening>;\n",
    },
    {
      path: "src/integrations/dynamodb/index.ts",
      find: "      receipts: new",
      put: "      openings: new TableRepository(table, openingEntity),\n      receipts: new",
    },
    {
      path: "test/integrations/dynamodb/fake.ts",
      find: "import { receiptEntity }",
      put: 'import { openingEntity } from "../../../src/integrations/dynamodb/opening.ts";\nimport { receiptEntity }',
    },
    {
      path: "test/integrations/dynamodb/fake.ts",
      find: "    receipts: new",
      put: "    openings: new MemoryRepository(openingEntity),\n    receipts: new",
    },
  ],
  files: {
    ...FILES,
    "src/integrations/dynamodb/opening.ts": `import { z } from "zod";
import type { Entity } from "../../platform/dynamodb/repository.ts";

const openingSchema = z.object({ name: z.string(), day: z.iso.date() });

export type Opening = z.output<typeof openingSchema>;

export const openingEntity: Entity<typeof openingSchema> = {
  name: "opening",
  schema: openingSchema,
};
`,
    "test/integrations/openings.test.ts": `import { Registry } from "@prometheus-io/client";
import { expect, test } from "vitest";
import { createDeps } from "../../src/deps.ts";
import { storeOpened } from "../../src/integrations/kafka/events.ts";
import { handlers } from "../../src/integrations/kafka/handlers.ts";
import { createLogger } from "../../src/platform/logging.ts";
import { loadSettings } from "../../src/settings.ts";
import { eventually } from "../platform/kafka/eventually.ts";
import { MemoryBroker } from "../platform/kafka/memory-broker.ts";
import { createFakes } from "./index.ts";
import { createFake } from "./kafka/fake.ts";

test("a store that has opened is found", async () => {
  const broker = new MemoryBroker();
  const kafka = createFake(broker);
  const settings = loadSettings({});
  const log = createLogger(settings, { write: () => {} });
  const overrides = { ...createFakes(), kafka };
  const { deps } = await createDeps(settings, log, new Registry(), overrides);
  const work = kafka.consume(handlers, deps);
  await kafka.publish(storeOpened, { id: "0009", name: "Loft" });
  await eventually(() => expect(deps.stores.find("0009")).toBe("Loft"));
  expect(broker.records).toHaveLength(1);
  await work.stop();
});

test("openings are kept", async () => {
  const { dynamodb } = createFakes();
  const id = "3f0c9a34-8f0c-4c1b-9b5c-0d6a1f1f7c01";
  await dynamodb!.openings.create(id, { name: "Loft", day: "2026-01-02" });
  expect(await dynamodb!.openings.get(id)).toMatchObject({ version: 1, value: { name: "Loft" } });
});
`,
  },
};
