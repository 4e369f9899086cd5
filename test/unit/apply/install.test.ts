import { describe, expect, it } from "vitest";

import {
  ownCommand,
  runningPackageManager,
  swallowedFlags,
  withoutRunner,
} from "../../../src/apply/install.ts";
import { templates } from "../../support/templates.ts";

describe("the package manager that runs us", () => {
  it.each([
    ["npm/11.19.1 node/v26.10.0 linux x64 workspaces/false", "npm"],
    ["pnpm/12.21.0 npm/? node/v26.10.0 linux x64", "pnpm"],
    ["yarn/1.22.22 npm/? node/v26.10.0 linux x64", "yarn"],
    ["yarn/4.18.1 npm/? node/v26.10.0 linux x64", "yarn4"],
    ["bun/1.4.5 npm/? node/v26.3.0 linux x64", undefined],
    [undefined, undefined],
  ])("%s", (userAgent, name) => {
    expect(runningPackageManager(userAgent, templates.manifest.packageManagers)).toBe(name);
  });
});

describe("the words that run us again", () => {
  it.each([
    [{}, "create-fetch-service"],
    [{ npm_config_user_agent: "npm/11.0.0 node/v26" }, "npx create-fetch-service"],
    [{ npm_config_user_agent: "pnpm/12.21.0 npm/?" }, "pnpm dlx create-fetch-service"],
    [{ npm_config_user_agent: "yarn/4.18.1 npm/?" }, "yarn dlx create-fetch-service"],
    [{ npm_config_user_agent: "yarn/1.22.22 npm/?" }, "npx create-fetch-service"],
    [{ npm_config_user_agent: "bun/1.4.5 npm/?" }, "bunx create-fetch-service"],
    [
      { npm_config_user_agent: "npm/11", npm_lifecycle_event: "create", npm_command: "run" },
      "npm run create --",
    ],
  ])("%j: %s", (env, words) => {
    expect(ownCommand(env)).toBe(words);
  });
});

describe("flags that npm took", () => {
  const FLAGS = ["--port", "--metrics-port", "--dry-run", "--no-git", "--no-install"];

  it("are those in its environment", () => {
    const env = {
      npm_command: "init",
      npm_config_port: "9000",
      npm_config_dry_run: "true",
      npm_config_git: "",
      npm_config_install: "true",
    };
    expect(swallowedFlags(env, FLAGS)).toEqual(["--port", "--dry-run", "--no-git"]);
  });

  it("are none when npm does not run us", () => {
    expect(swallowedFlags({ npm_config_port: "9000" }, FLAGS)).toEqual([]);
  });
});

describe("the environment of a child", () => {
  it.each([
    "INIT_CWD",
    "NODE_ENV",
    "npm_command",
    "npm_config_dry_run",
    "npm_config_global",
    "npm_config_include",
    "npm_config_json",
    "npm_config_local_prefix",
    "npm_config_location",
    "npm_config_loglevel",
    "npm_config_omit",
    "npm_config_package_lock_only",
    "npm_config_prefix",
    "npm_config_user_agent",
    "npm_config_workspace",
    "npm_config_workspaces",
    "npm_config_yes",
    "npm_lifecycle_event",
    "npm_package_json",
    "pnpm_config_filter",
    "NPM_CONFIG_GLOBAL",
  ])("does not have %s", (name) => {
    expect(withoutRunner({ [name]: "true" })).toEqual({ [name]: undefined });
  });

  it.each([
    "HOME",
    "npm_config_//registry.example/:_authToken",
    "npm_config_@team:registry",
    "npm_config_cache",
    "npm_config_cafile",
    "npm_config_https_proxy",
    "npm_config_ignore_scripts",
    "npm_config_registry",
    "npm_config_strict_ssl",
    "npm_config_userconfig",
    "NPM_CONFIG_REGISTRY",
    "pnpm_config_registry",
  ])("keeps %s", (name) => {
    expect(withoutRunner({ [name]: "x" })).toEqual({});
  });

  it("does not load the packages of yarn dlx", () => {
    const NODE_OPTIONS = "--require /tmp/dlx/.pnp.cjs --max-old-space-size=512";
    expect(withoutRunner({ NODE_OPTIONS })).toEqual({ NODE_OPTIONS: "--max-old-space-size=512" });
    const only = "--require /tmp/.pnp.cjs --experimental-loader file:///tmp/.pnp.loader.mjs";
    expect(withoutRunner({ NODE_OPTIONS: only })).toEqual({ NODE_OPTIONS: undefined });
    expect(withoutRunner({ NODE_OPTIONS: "--no-warnings" })).toEqual({});
  });
});
