import { type Check, needed } from "../check.ts";
import { expect, expectEqual, expectJsonType, expectStatus, show } from "../expect.ts";
import { STANDARD } from "../standard.ts";
import type { Target } from "../target.ts";
import { send } from "../wire/send.ts";
import { withDocs } from "./docs.ts";

type Json = Record<string, unknown>;
interface Operation extends Json {
  operationId?: string;
  parameters?: unknown[];
  responses: Record<string, Json>;
}

const METHODS = ["get", "put", "post", "delete", "patch"];

/** `/openapi.json`: that it is OpenAPI 3.1 and tells the truth. */
export const openapiChecks: Check[] = [
  {
    id: "openapi.version",
    sentence: STANDARD.docs,
    async run(target) {
      await withDocument(target, async (document) => {
        expect(
          /^3\.1\.\d+$/.test(String(document["openapi"])),
          `openapi: ${show(document["openapi"])}`,
        );
        const { title, version } = document["info"] as Json;
        expect(typeof title === "string" && title !== "", "info.title is missing");
        expect(typeof version === "string" && version !== "", "info.version is missing");
      });
    },
  },
  {
    id: "openapi.references",
    sentence: STANDARD.docs,
    async run(target) {
      await withDocument(target, async (document) => {
        const broken = referencesIn(document).filter((ref) => !resolves(document, ref));
        expectEqual(broken, [], "references to nothing");
      });
    },
  },
  {
    id: "openapi.operation-ids",
    level: "hardening",
    sentence: STANDARD.docs,
    async run(target) {
      await withDocument(target, async (document) => {
        const ids = operations(document).map(({ operation }) => operation.operationId);
        expect(!ids.includes(undefined), "an operation has no operationId");
        expectEqual(ids.length, new Set(ids).size, "number of different operation ids");
      });
    },
  },
  {
    id: "openapi.health",
    sentence: STANDARD.health,
    async run(target) {
      await withDocument(target, async (document) => {
        const paths = Object.keys(document["paths"] as Json);
        for (const path of ["/health", "/health/ready", "/health/version"]) {
          expect(paths.includes(path), `${path} is not described`);
        }
      });
    },
  },
  {
    id: "openapi.error-bodies",
    sentence: STANDARD.errorBody,
    async run(target) {
      await withDocument(target, async (document) => {
        for (const { name, errors } of operations(document).map(withErrors)) {
          for (const [status, response] of errors) {
            expectEqual(
              fieldsOfError(document, response),
              ["code", "message", "request_id", "timestamp"],
              `${name} ${status}: fields of error that are required`,
            );
          }
        }
      });
    },
  },
  {
    id: "openapi.every-operation-has-errors",
    level: "hardening",
    sentence: STANDARD.errorBody,
    async run(target) {
      await withDocument(target, async (document) => {
        for (const { name, errors } of operations(document).map(withErrors)) {
          expect(errors.length > 0, `${name}: no error is described`);
        }
      });
    },
  },
  {
    id: "openapi.errors-of-json-routes",
    level: "hardening",
    sentence: STANDARD.validation,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      await withDocument(target, async (document) => {
        const found = operations(document).find(({ name }) => name === `post ${path}`);
        expect(found !== undefined, `post ${path} is not described`);
        const described = Object.keys(found.operation.responses);
        for (const status of ["400", "413", "415", "500"]) {
          expect(described.includes(status), `post ${path}: ${status} is not described`);
        }
        expect("requestBody" in found.operation, `post ${path}: no request body is described`);
      });
    },
  },
  {
    id: "openapi.routes-exist",
    sentence: STANDARD.validation,
    async run(target) {
      await withDocument(target, async (document, url) => {
        const plain = operations(document).filter(
          ({ method, path }) => method === "get" && !path.includes("{"),
        );
        for (const { path, operation } of plain) {
          const response = await send(url, path);
          const described = Object.keys(operation.responses).map(Number);
          expectStatus(response, ...described);
        }
      });
    },
  },
  {
    id: "openapi.unknown-methods-undocumented",
    sentence: STANDARD.codes,
    async run(target) {
      await withDocument(target, async (document, url) => {
        const paths = Object.entries(document["paths"] as Record<string, Json>);
        for (const [path, item] of paths.filter(([name]) => !name.includes("{"))) {
          const method = METHODS.find((name) => !(name in item)) ?? "delete";
          expectStatus(await send(url, { method: method.toUpperCase(), path }), 405);
        }
      });
    },
  },
];

async function withDocument(
  target: Target,
  use: (document: Json, url: string) => Promise<void>,
): Promise<void> {
  await withDocs(target, async (url) => {
    const response = await send(url, "/openapi.json");
    expectStatus(response, 200);
    expectJsonType(response);
    await use(response.json() as Json, url);
  });
}

function operations(
  document: Json,
): { name: string; method: string; path: string; operation: Operation }[] {
  return Object.entries(document["paths"] as Record<string, Json>).flatMap(([path, item]) =>
    METHODS.filter((method) => method in item).map((method) => ({
      name: `${method} ${path}`,
      method,
      path,
      operation: item[method] as Operation,
    })),
  );
}

/** With the answers that have an error body: every 4xx and 5xx, but the report of what is not ready. */
function withErrors({ name, operation }: { name: string; operation: Operation }): {
  name: string;
  errors: [string, Json][];
} {
  const errors = Object.entries(operation.responses).filter(
    ([status]) => Number(status) >= 400 && !(name === "get /health/ready" && status === "503"),
  );
  return { name, errors };
}

function referencesIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "$ref" && typeof inner === "string" ? [inner] : referencesIn(inner),
  );
}

function resolves(document: Json, reference: string): boolean {
  return lookUp(document, { $ref: reference }) !== undefined;
}

/** `value`, or what it refers to. */
function lookUp(document: Json, value: unknown): Json | undefined {
  const reference = (value as { $ref?: string } | undefined)?.$ref;
  if (reference === undefined) return value as Json | undefined;
  const steps = reference.replace(/^#\//, "").split("/");
  const found = steps.reduce<unknown>((at, step) => {
    return (at as Json | undefined)?.[step.replaceAll("~1", "/").replaceAll("~0", "~")];
  }, document);
  return lookUp(document, found);
}

/** What an error response requires of `error`. */
function fieldsOfError(document: Json, response: Json): string[] {
  const content = lookUp(document, response)?.["content"] as Record<string, Json> | undefined;
  const schema = lookUp(document, content?.["application/json"]?.["schema"]);
  const error = lookUp(document, (schema?.["properties"] as Json | undefined)?.["error"]);
  return ((error?.["required"] as string[] | undefined) ?? []).toSorted();
}
