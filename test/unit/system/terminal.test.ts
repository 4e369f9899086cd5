import { checkbox, confirm, input, select } from "@inquirer/prompts";
import { render } from "@inquirer/testing";
import { describe, expect, it } from "vitest";

import { ask } from "../../../src/answers/ask.ts";
import { type AnswerKey, defaultAnswers } from "../../../src/answers/schema.ts";
import type { Prompter } from "../../../src/ports.ts";
import { choicesPrompt, textPrompt } from "../../../src/system/terminal.ts";
import { answersWith, templatesWithFixture } from "../../support/templates.ts";

const { manifest } = templatesWithFixture;

/** The one question for an answer, shown by inquirer on a screen that the test types into. */
async function show(key: AnswerKey) {
  const { [key]: _, ...others } = answersWith({ port: 9000 });
  const { promise, resolve } =
    Promise.withResolvers<Awaited<ReturnType<typeof render<unknown, never>>>>();
  const keep = async (screen: Promise<unknown>) => {
    const rendered = (await screen) as Awaited<typeof promise>;
    resolve(rendered);
    return (await rendered.answer) as never;
  };
  const prompter: Prompter = {
    text: (question) => keep(render(input, textPrompt(question))),
    choose: (question) => keep(render(select, question)),
    chooseSome: (question) => keep(render(checkbox, choicesPrompt(question))),
    confirm: (question) => keep(render(confirm, question)),
  };
  const answered = ask({
    prompter,
    manifest,
    defaults: { ...defaultAnswers(manifest), name: "my-service" },
    installed: new Set(["npm"]),
    answers: others,
    takenBy: async (name) => (name === "taken" ? "that is taken" : undefined),
  });
  const { events, getScreen } = await promise;
  return {
    getScreen,
    type: (text: string) => events.type(text),
    press: async (...keys: string[]) => {
      for (const name of keys) {
        events.keypress(name);
        await new Promise((done) => void setImmediate(done));
      }
    },
    answer: async () => (await answered)[key],
  };
}

describe("the name", () => {
  it("is refused when it breaks a rule, which is explained once, with a name that is near", async () => {
    const screen = await show("name");
    expect(screen.getScreen()).toContain("(my-service)");
    screen.type("My");
    expect(screen.getScreen()).not.toContain("lowercase");
    await screen.press("enter");
    expect(screen.getScreen()).toContain("> use 1 to 64 lowercase letters");
    expect(screen.getScreen()).toMatch(/for\s+example\s+my$/);
    await screen.press("backspace", "backspace");
    screen.type("my-service");
    expect(screen.getScreen()).not.toContain("lowercase");
    await screen.press("enter");
    expect(await screen.answer()).toBe("my-service");
  });

  it("is refused when something is already there", async () => {
    const screen = await show("name");
    screen.type("taken");
    await screen.press("enter");
    expect(screen.getScreen()).toContain("that is taken");
    screen.type("-not");
    await screen.press("enter");
    expect(await screen.answer()).toBe("taken-not");
  });
});

describe("the other texts", () => {
  it.each([
    ["description", "A Fetch service"],
    ["team", "platform"],
    ["port", 8000],
    ["metricsPort", 8080],
  ] as const)("%s has a default", async (key, value) => {
    const screen = await show(key);
    expect(screen.getScreen()).toContain(`(${value})`);
    await screen.press("enter");
    expect(await screen.answer()).toBe(value);
  });

  it("the port of /metrics is another than the API's", async () => {
    const screen = await show("metricsPort");
    screen.type("9000");
    await screen.press("enter");
    expect(screen.getScreen()).toContain("use another port than the API's");
    screen.type("1");
    await screen.press("enter");
    expect(screen.getScreen()).toContain("from 1024 to 65535");
    await screen.press("backspace", "backspace");
    screen.type("1");
    await screen.press("enter");
    expect(await screen.answer()).toBe(9001);
  });
});

describe("the choices", () => {
  it("of a framework are the manifest's", async () => {
    const screen = await show("framework");
    for (const { title } of manifest.frameworks) {
      expect(screen.getScreen()).toContain(title);
    }
    expect(screen.getScreen()).toContain(manifest.frameworks[0]?.summary);
    await screen.press("enter");
    expect(await screen.answer()).toBe(manifest.frameworks[0]?.name);
  });

  it("of integrations include one that was only added to the manifest", async () => {
    const screen = await show("integrations");
    expect(screen.getScreen()).toContain("Postbox");
    await screen.press("up", "space", "enter");
    expect(await screen.answer()).toEqual(["postbox"]);
  });

  it("of no integration are shown as none", async () => {
    const screen = await show("integrations");
    await screen.press("enter");
    expect(await screen.answer()).toEqual([]);
    expect(screen.getScreen()).toMatch(/Integrations none$/);
  });

  it("of a package manager move with the arrows, and say which are not there", async () => {
    const screen = await show("packageManager");
    expect(screen.getScreen()).toMatch(/npm\n {2}pnpm \(not installed\)\n/);
    await screen.press("down", "enter");
    expect(await screen.answer()).toBe("pnpm");
  });
});
