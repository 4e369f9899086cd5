import { expect, it } from "vitest";
import { originForm } from "../../src/platform/http/node-http.ts";

it.each([
  ["/health", "/health"],
  ["/health?x=http://a", "/health?x=http://a"],
  ["*", "*"],
  ["http://other.example/health?x=1", "/health?x=1"],
  ["HTTPS://other.example:8443/health", "/health"],
  ["http://other.example", "/"],
  ["http://other.example?x=1", "/?x=1"],
])("%s is for %s", (target, path) => {
  expect(originForm(target)).toBe(path);
});

it.each(["ftp://other.example/health", "health", "http:///health", "http://[::1/", "http://a/#b"])(
  "%s is no target",
  (target) => {
    expect(originForm(target)).toBeUndefined();
  },
);
