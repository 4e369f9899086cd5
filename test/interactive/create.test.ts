import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { CTRL_C, ENTER, Terminal } from "../support/terminal.ts";

const SHOW_CURSOR = "\u001B[?25h";
const HIDE_CURSOR = "\u001B[?25l";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "interactive-"));
});

afterEach(() => rmSync(home, { recursive: true }));

/** A package manager that does what the test says, first on the PATH. */
function fakeNpm(script: string): Record<string, string> {
  const bin = join(home, ".bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "npm"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, "npm"), 0o755);
  return { PATH: `${bin}${delimiter}${process.env["PATH"]}` };
}

const made = () => readdirSync(home).filter((name) => name !== ".bin");

function cursorIsVisible(terminal: Terminal): boolean {
  return terminal.raw.lastIndexOf(SHOW_CURSOR) >= terminal.raw.lastIndexOf(HIDE_CURSOR);
}

/** Answers everything up to the last question. */
async function answerAll(terminal: Terminal): Promise<void> {
  await terminal.see("Name of the service");
  terminal.type(`my-service${ENTER}`);
  await terminal.see("What does it do?");
  terminal.type(`Counts "points"${ENTER}`);
  await terminal.see("Team that owns it");
  terminal.type(ENTER);
  await terminal.see("HTTP framework");
  terminal.type(ENTER);
  await terminal.see("Port of the API");
  terminal.type(`9000${ENTER}`);
  await terminal.see("Port of /metrics");
  terminal.type(ENTER);
  await terminal.see("Integrations");
  terminal.type(ENTER);
  await terminal.see("Package manager");
  terminal.type(ENTER);
  await terminal.see("Install the dependencies?");
  terminal.type(ENTER);
  await terminal.see("Make a git repository?");
  terminal.type(`n${ENTER}`);
  await terminal.see("Write it?");
}

describe("in a real terminal", () => {
  it("asks, shows what will be made, makes it and says how to go on", async () => {
    const terminal = new Terminal([], home, fakeNpm("exit 0"));
    await answerAll(terminal);
    terminal.type(ENTER);
    await terminal.see("Wrote my-service");
    await terminal.see("Installing with npm install");
    await terminal.see("cd my-service");
    await terminal.see(
      `create-fetch-service my-service --description 'Counts "points"' --port 9000`,
    );
    expect(await terminal.ended).toMatchObject({ exitCode: 0 });
    const { description } = JSON.parse(readFileSync(join(home, "my-service/package.json"), "utf8"));
    expect(description).toBe('Counts "points"');
    expect(made()).toEqual(["my-service"]);
    expect(cursorIsVisible(terminal)).toBe(true);
  });

  it("prints no colour when NO_COLOR is set", async () => {
    const terminal = new Terminal(["x1", "--yes", "--no-install", "--no-git"], home, {
      NO_COLOR: "1",
    });
    await terminal.ended;
    // oxlint-disable-next-line no-control-regex
    expect(terminal.raw).not.toMatch(/\u001B\[\d*m/);
  });
});

describe("on a narrow terminal", () => {
  it.each([60, 100])(
    "of %i columns, a bad answer is explained once, in whole words",
    async (cols) => {
      const terminal = new Terminal([], home, {}, cols);
      await terminal.see("Name of the service");
      terminal.type(`My Service${ENTER}`);
      await terminal.see("my-service");
      await terminal.see("my-service");
      // oxlint-disable-next-line no-control-regex
      const plain = terminal.raw.replaceAll(/\u001B\[[\d;?]*[A-Za-z]/g, "");
      const lines = plain.slice(plain.lastIndexOf("> use")).split(/\r?\n/);
      expect(lines.join(" ").replaceAll(/ +/g, " ")).toMatch(
        /^> use 1 to 64 lowercase letters, digits and hyphens, starting with a letter and not ending with a hyphen, for example my-service/,
      );
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(cols);
      terminal.type(CTRL_C);
      await terminal.ended;
    },
  );

  it("escape goes back to the question before, which can be answered again", async () => {
    const terminal = new Terminal([], home, {}, 60);
    await terminal.see("Name of the service");
    terminal.type(`frist${ENTER}`);
    await terminal.see("(esc: back)");
    terminal.type("\u001B");
    await terminal.see("Name of the service");
    terminal.type(`first${ENTER}`);
    await terminal.see("What does it do?");
    terminal.type(ENTER);
    await terminal.see("Team that owns it");
    terminal.type(`@fetch/core${ENTER}`);
    for (const question of ["framework", "Port of the API", "Port of /metrics", "Integrations"]) {
      await terminal.see(question);
      terminal.type(ENTER);
    }
    await terminal.see("Package manager");
    terminal.type(ENTER);
    await terminal.see("Install the dependencies?");
    terminal.type(`n${ENTER}`);
    await terminal.see("Make a git repository?");
    terminal.type(`n${ENTER}`);
    await terminal.see("service       first");
    await terminal.see("@fetch/core");
    terminal.type(ENTER);
    await terminal.see("Then open http://localhost:8000/docs");
    await terminal.ended;
    expect(made()).toEqual(["first"]);
  });

  it("a folder that is taken is refused before the first question", async () => {
    mkdirSync(join(home, "taken/src"), { recursive: true });
    const terminal = new Terminal(["taken"], home);
    await terminal.see("taken is not empty: it holds src");
    expect(await terminal.ended).toMatchObject({ exitCode: 1 });
    expect(terminal.raw).not.toContain("What does it do?");
  });
});

describe("Ctrl-C", () => {
  it.each(["Name of the service", "HTTP framework", "Write it?"])(
    "at the question %j leaves nothing and ends with 130",
    async (question) => {
      const terminal = new Terminal([], home);
      if (question === "Write it?") {
        await answerAll(terminal);
      } else if (question === "HTTP framework") {
        await terminal.see("Name of the service");
        terminal.type(`my-service${ENTER}`);
        await terminal.see("What does it do?");
        terminal.type(ENTER);
        await terminal.see("Team that owns it");
        terminal.type(ENTER);
        await terminal.see(question);
      } else {
        await terminal.see(question);
      }
      terminal.type(CTRL_C);
      await terminal.see("nothing was written");
      expect(await terminal.ended).toMatchObject({ exitCode: 130 });
      expect(made()).toEqual([]);
      expect(cursorIsVisible(terminal)).toBe(true);
    },
  );

  it.each(["Ctrl-C", "SIGTERM"])(
    "or SIGTERM during the install (%s) leaves the whole tree, and says the command that goes on",
    async (how) => {
      const script = `echo started > "${home}/.started"; exec sleep 1000`;
      const args = ["my-service", "--yes", "--no-git"];
      const terminal = new Terminal(args, home, fakeNpm(script));
      await terminal.see("Installing");
      while (!existsSync(join(home, ".started"))) {
        await new Promise((resolve) => void setTimeout(resolve, 20));
      }
      if (how === "Ctrl-C") {
        terminal.type(CTRL_C);
      } else {
        terminal.kill("SIGTERM");
      }
      await terminal.see("interrupted; my-service is whole");
      await terminal.see("cd my-service && npm install");
      expect(await terminal.ended).toMatchObject({ exitCode: 130 });
      expect(existsSync(join(home, "my-service/package.json"))).toBe(true);
      expect(made()).toEqual([".started", "my-service"]);
      expect(cursorIsVisible(terminal)).toBe(true);
    },
  );

  it("SIGTERM at a question leaves nothing", async () => {
    const terminal = new Terminal([], home);
    await terminal.see("Name of the service");
    terminal.kill("SIGTERM");
    expect(await terminal.ended).toMatchObject({ exitCode: 130 });
    expect(made()).toEqual([]);
  });
});
