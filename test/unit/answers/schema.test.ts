import { describe, expect, it } from "vitest";

import { checkAnswers } from "../../../src/answers/complete.ts";
import { problemOf } from "../../../src/answers/schema.ts";
import { answersWith, templates, templatesWithFixture } from "../../support/templates.ts";

const { manifest } = templates;

describe("a name", () => {
  it.each(["a", "my-service", "a1", "a-1-b", "x".repeat(64)])("may be %s", (name) => {
    expect(problemOf(manifest, "name", name)).toBeUndefined();
  });

  it.each([
    "",
    "../x",
    "a/b",
    "a\\b",
    "/tmp/x",
    "C:\\x",
    ".",
    "..",
    ".hidden",
    "-x",
    "x-",
    "1x",
    "My-Service",
    "my_service",
    "my service",
    " x",
    "x ",
    "{{x}}",
    "${x}",
    "$(id)",
    "`id`",
    "'x'",
    '"x"',
    "x\n",
    "x\ny",
    "x\u0000",
    "🦉",
    "ünder",
    "x".repeat(65),
    "x".repeat(10_000),
    "node_modules",
    "favicon.ico",
    "@scope/x",
    "con",
    "nul",
    "com1",
    "lpt9",
    "http",
    "stream",
    42,
    undefined,
  ])("may not be %j", (name) => {
    expect(problemOf(manifest, "name", name)).toMatch(/\w+ \w+/);
  });

  it("that is refused gets a good one as a hint, on one short line", () => {
    for (const name of ["My Service!", "🦉", "x".repeat(10_000), "a\nb"]) {
      try {
        checkAnswers(manifest, answersWith({ name }));
        expect.unreachable();
      } catch (error) {
        const { message, hint } = error as { message: string; hint: string };
        expect(message).not.toContain("\n");
        expect(message.length).toBeLessThan(200);
        expect(problemOf(manifest, "name", hint.replace("for example ", ""))).toBeUndefined();
      }
    }
  });
});

describe("a description", () => {
  it.each(["x", 'it\'s "so" `fine` {{x}} ${x} </script>', "two\nlines", "🦉 привет"])(
    "may be %j",
    (text) => expect(problemOf(manifest, "description", text)).toBeUndefined(),
  );

  it.each(["", " x", "x ", "x".repeat(301), "a\u0000b", "a\u001bb", "a\rb", "a\ud800b", 1])(
    "may not be %j",
    (text) => expect(problemOf(manifest, "description", text)).toContain("1 to 300 characters"),
  );
});

describe("a team", () => {
  it.each(["platform", "Team 1", "a.b/c@d", "Équipe"])("may be %j", (text) => {
    expect(problemOf(manifest, "team", text)).toBeUndefined();
  });

  it.each(["", " x", "x ", '"', "a\nb", "{{x}}", "1", "x".repeat(65)])("may not be %j", (text) => {
    expect(problemOf(manifest, "team", text)).toContain("1 to 64");
  });
});

describe("a port", () => {
  it.each([1024, 8000, 65_535])("may be %d", (port) => {
    expect(problemOf(manifest, "port", port)).toBeUndefined();
  });

  it.each([0, 80, 1023, 65_536, 8000.5, Number.NaN, Infinity, "8000", null])(
    "may not be %j",
    (port) => expect(problemOf(manifest, "port", port)).toContain("1024 to 65535"),
  );
});

describe("choices", () => {
  it("are those of the manifest", () => {
    expect(problemOf(manifest, "integrations", ["postbox"])).toContain("unknown");
    expect(problemOf(templatesWithFixture.manifest, "integrations", ["postbox"])).toBeUndefined();
    expect(problemOf(templatesWithFixture.manifest, "integrations", ["postbx"])).toContain(
      "did you mean postbox?",
    );
  });

  it("of integrations are kept in the manifest's order, each once", () => {
    const both = {
      ...templatesWithFixture.manifest,
      integrations: ["a", "b"].map((name) => ({
        name,
        title: name,
        summary: name,
        critical: false,
        needs: [],
        background: false,
      })),
    };
    const answers = answersWith({ integrations: ["b", "a", "b"] });
    expect(checkAnswers(both, answers).integrations).toEqual(["a", "b"]);
  });
});
