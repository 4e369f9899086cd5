import Handlebars from "handlebars";

import { contextSchema } from "../../src/plan/context-schema.ts";

type Shape = { [key: string]: Shape } | "value" | { "[]": Shape };

/** What the context offers, as nested keys; the items of a list stand under "[]". */
function shapeOf(schema: unknown, slots: readonly string[]): Shape {
  const { def } = (schema as { _zod: { def: Record<string, unknown> & { type: string } } })._zod;
  if (def.type === "object") {
    const entries = Object.entries(def["shape"] as Record<string, unknown>);
    return Object.fromEntries(entries.map(([key, value]) => [key, shapeOf(value, slots)]));
  }
  if (def.type === "array") {
    return { "[]": shapeOf(def["element"], slots) };
  }
  if (def.type === "record") {
    // The only record of the context: its keys are the manifest's slots.
    return Object.fromEntries(slots.map((slot) => [slot, shapeOf(def["valueType"], slots)]));
  }
  return "value";
}

/** The problems of a template: paths that the context lacks, and what the rules do not allow. */
export function problemsOf(source: string, slots: readonly string[]): string[] {
  const problems: string[] = [];
  const visit = (statements: hbs.AST.Statement[] | undefined, scopes: Shape[]): void => {
    for (const statement of statements ?? []) {
      if (statement.type === "MustacheStatement") {
        const { path, params } = statement as hbs.AST.MustacheStatement;
        const found = params.length > 0 ? "value" : resolve(path, scopes, problems);
        if (params.length > 0) {
          problems.push(`${originalOf(path)} is a helper`);
        } else if (found !== undefined && found !== "value") {
          problems.push(`${originalOf(path)} is no text`);
        }
      } else if (statement.type === "BlockStatement") {
        visitBlock(statement as hbs.AST.BlockStatement, scopes);
      } else if (!["ContentStatement", "CommentStatement"].includes(statement.type)) {
        problems.push(`${statement.type} is not allowed`);
      }
    }
  };
  const visitBlock = (block: hbs.AST.BlockStatement, scopes: Shape[]): void => {
    const helper = originalOf(block.path);
    const [subject] = block.params;
    const found = subject && resolve(subject, scopes, problems);
    const items = typeof found === "object" && "[]" in found ? found["[]"] : undefined;
    if (helper === "each" && found !== undefined && items === undefined) {
      problems.push(`${originalOf(subject)} is no list`);
    } else if (!["each", "if", "unless", "with"].includes(helper)) {
      problems.push(`{{#${helper}}} is not allowed`);
    }
    const inner = { each: items, with: found }[helper];
    // Without a scope of its own, the inside of a list that does not exist has nothing to be checked by.
    if (found !== undefined) {
      visit(block.program?.body, inner === undefined ? scopes : [inner, ...scopes]);
    }
    visit(block.inverse?.body, scopes);
  };
  visit(Handlebars.parse(source).body, [shapeOf(contextSchema, slots)]);
  return problems;
}

function resolve(
  expression: hbs.AST.Expression,
  scopes: Shape[],
  problems: string[],
): Shape | undefined {
  const { parts, depth, data, original } = expression as hbs.AST.PathExpression;
  if (data) {
    if (!["@index", "@first", "@last", "@key"].includes(original)) {
      problems.push(`${original} is unknown`);
    }
    return "value";
  }
  let shape: Shape | undefined = scopes[depth];
  for (const part of parts) {
    shape = typeof shape === "object" ? (shape as Record<string, Shape>)[part] : undefined;
  }
  if (shape === undefined) {
    problems.push(`${original} is not in the context`);
  }
  return shape;
}

function originalOf(expression: hbs.AST.Expression | hbs.AST.Literal | undefined): string {
  return String((expression as hbs.AST.PathExpression | undefined)?.original);
}
