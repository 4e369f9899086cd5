import { type Check, needed } from "../check.ts";
import {
  expect,
  expectEqual,
  expectError,
  expectJson,
  expectNoFailure,
  expectStatus,
} from "../expect.ts";
import { STANDARD } from "../standard.ts";
import { Connection } from "../wire/connection.ts";
import { chunked, formatRequest, send } from "../wire/send.ts";
import {
  expectAlive,
  expectNowhere,
  jsonWith,
  OK,
  postJson,
  postText,
  validBody,
} from "./steps.ts";

const DEPTH = 100_000;

const DEEP: Record<string, string> = {
  arrays: "[".repeat(DEPTH) + "]".repeat(DEPTH),
  objects: '{"a":'.repeat(DEPTH) + "1" + "}".repeat(DEPTH),
  "arrays without an end": "[".repeat(DEPTH),
};

const POLLUTIONS = [
  '"__proto__":{"polluted":"yes"}',
  '"constructor":{"prototype":{"polluted":"yes"}}',
  '"__proto__":null',
  '"__proto__":{"__proto__":{"polluted":"yes"}}',
  '"\\u005f_proto__":{"polluted":"yes"}',
  '"prototype":{"polluted":"yes"}',
  '"toString":"polluted","hasOwnProperty":1,"valueOf":null',
  '"then":1,"toJSON":"polluted"',
];

const NUMBERS = ["1e400", "-1e400", "1e-400", "-0", "99999999999999999999999", "1e308", "0.1"];

const TEXTS: Record<string, string> = {
  "a lone high surrogate": '"\\ud800"',
  "a lone low surrogate": '"\\udc00"',
  "surrogates the wrong way round": '"\\udc00\\ud800"',
  "a zero character": '"\\u0000"',
  "control characters": '"\\u0001\\u001f\\u007f\\u0085"',
  "line separators": '"\\u2028\\u2029"',
  "a right-to-left override": '"\\u202emoc.live"',
  "emoji of many parts": '"👩‍👩‍👧‍👦🏳️‍🌈"',
  "combining marks": `"Z${"\\u0300".repeat(400)}"`,
  "a BOM inside": '"\\ufeffa"',
  "characters above the BMP": '"𝕬𝖇𝖈"',
};

/** Bodies made to break a JSON parser, a validator, or whatever comes after them. */
export const bodyChecks: Check[] = [
  {
    id: "bodies.valid",
    sentence: STANDARD.validation,
    async run(target) {
      expectStatus(await postJson(target, validBody(target)), ...OK);
    },
  },
  {
    id: "bodies.valid-in-chunks",
    sentence: STANDARD.indistinguishable,
    async run(target) {
      const text = JSON.stringify(validBody(target));
      const headers = { "Content-Type": "application/json", "Transfer-Encoding": "chunked" };
      const body = chunked(text.slice(0, 7), text.slice(7, 8), text.slice(8));
      expectStatus(await postText(target, body, headers), ...OK);
    },
  },
  {
    // Many clients announce JSON with every request, also where there is nothing to announce.
    id: "bodies.none-where-none-is-declared",
    sentence: STANDARD.validation,
    async run(target) {
      const requests = [
        { path: "/health" },
        ...(target.probes ? [{ method: "DELETE", path: target.probes.bodiless }] : []),
      ];
      const type = { "Content-Type": "application/json" };
      for (const request of requests) {
        const plain = await send(target.url, request);
        expectStatus(plain, 200);
        for (const headers of [type, { ...type, "Content-Length": "0" }]) {
          const response = await send(target.url, { ...request, headers });
          expectJson(response, 200, plain.json());
        }
      }
    },
  },
  ...Object.entries(DEEP).map(([name, body]): Check => ({
    id: `bodies.deep: ${name}`,
    level: "hardening",
    destructive: true,
    sentence: STANDARD.boundary,
    async run(target) {
      expectError(await postText(target, body), 400);
      await expectAlive(target);
    },
  })),
  {
    id: "bodies.deep-inside-a-field",
    level: "hardening",
    destructive: true,
    sentence: STANDARD.boundary,
    async run(target) {
      const valid = validBody(target);
      for (const field of Object.keys(valid)) {
        expectError(await postText(target, jsonWith(valid, field, DEEP["arrays"]!)), 400);
      }
      await expectAlive(target);
    },
  },
  {
    id: "bodies.prototype-pollution",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const valid = validBody(target);
      const expected = (await postJson(target, valid)).text;
      const inside = JSON.stringify(valid).slice(1);
      for (const pollution of POLLUTIONS) {
        const response = await postText(target, `{${pollution},${inside}`);
        expectNoFailure(response);
        expectNowhere([response], "polluted");
        // Over several connections, so that every worker is asked.
        for (let count = 0; count < 4; count += 1) {
          expectEqual((await postJson(target, valid)).text, expected, `after ${pollution}`);
        }
      }
      await expectAlive(target);
    },
  },
  {
    id: "bodies.prototype-pollution-only",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      for (const pollution of POLLUTIONS) {
        expectError(await postText(target, `{${pollution}}`), 400);
      }
    },
  },
  {
    id: "bodies.numbers",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const valid = validBody(target);
      for (const field of Object.keys(valid)) {
        for (const number of NUMBERS) {
          expectNoFailure(await postText(target, jsonWith(valid, field, number)));
        }
      }
    },
  },
  {
    id: "bodies.number-of-many-digits",
    level: "hardening",
    destructive: true,
    sentence: STANDARD.boundary,
    async run(target) {
      for (const number of [
        "1".repeat(500_000),
        `0.${"1".repeat(500_000)}`,
        `1e${"9".repeat(1_000)}`,
      ]) {
        expectError(await postText(target, number), 400);
      }
      await expectAlive(target);
    },
  },
  {
    id: "bodies.texts",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const valid = validBody(target);
      for (const field of Object.keys(valid)) {
        for (const text of Object.values(TEXTS)) {
          const body = jsonWith(valid, field, text);
          expectNoFailure(await postText(target, body));
        }
      }
      await expectAlive(target);
    },
  },
  {
    id: "bodies.invalid-utf-8",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      for (const bytes of ["ff", "c080", "eda080", "f8888080", "80", "e282"]) {
        const body = Buffer.concat([
          Buffer.from('{"a":"'),
          Buffer.from(bytes, "hex"),
          Buffer.from('"}'),
        ]);
        expectError(await postText(target, body), 400);
      }
    },
  },
  {
    id: "bodies.other-encodings",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const text = JSON.stringify(validBody(target));
      const utf16 = Buffer.from(`\ufeff${text}`, "utf16le");
      expectError(await postText(target, utf16), 400);
      const type = { "Content-Type": "application/json; charset=utf-16" };
      expectNoFailure(await postText(target, utf16, type));
      const latin1 = { "Content-Type": "application/json; charset=nonsense" };
      expectNoFailure(await postText(target, text, latin1));
    },
  },
  {
    id: "bodies.bom",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const response = await postText(target, `\ufeff${JSON.stringify(validBody(target))}`);
      // A parser may ignore it (RFC 8259, section 8.1) or refuse it.
      if (!OK.includes(response.status)) expectError(response, 400);
    },
  },
  {
    id: "bodies.same-key-twice",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const text = JSON.stringify(validBody(target));
      const [key = ""] = Object.keys(validBody(target));
      const doubled = `{"${key}":{"a":1},${text.slice(1)}`;
      expectNoFailure(await postText(target, doubled));
      expectError(await postText(target, `${text.slice(0, -1)},"${key}":{"a":1}}`), 400);
    },
  },
  {
    id: "bodies.unknown-fields-change-nothing",
    sentence: STANDARD.validation,
    async run(target) {
      const valid = validBody(target);
      const expected = await postJson(target, valid);
      const more = await postJson(target, { ...valid, unknownField: "unknown-value" });
      expectNoFailure(more);
      if (more.status === expected.status) expectEqual(more.text, expected.text, "the answer");
      expectNowhere([more], "unknown-value");
    },
  },
  {
    id: "bodies.no-conversion",
    level: "hardening",
    sentence: STANDARD.validation,
    async run(target) {
      // Texts where numbers belong and the other way round are refused, not guessed at.
      const valid = Object.entries(validBody(target));
      for (const [field, value] of valid) {
        const other = typeof value === "string" ? 1 : "1";
        const body = { ...Object.fromEntries(valid), [field]: other };
        expectError(await postJson(target, body), 400, "VALIDATION_ERROR");
      }
    },
  },
  {
    id: "bodies.null-for-a-field",
    sentence: STANDARD.boundary,
    async run(target) {
      const valid = validBody(target);
      for (const field of Object.keys(valid)) {
        expectError(await postJson(target, { ...valid, [field]: null }), 400);
      }
    },
  },
  {
    id: "bodies.many-keys",
    level: "hardening",
    destructive: true,
    sentence: STANDARD.boundary,
    async run(target) {
      const keys = Array.from({ length: 50_000 }, (_, index) => `"k${index}":1`).join(",");
      expectError(await postText(target, `{${keys}}`), 400);
      await expectAlive(target);
    },
  },
  {
    id: "bodies.many-mistakes",
    level: "hardening",
    destructive: true,
    sentence: STANDARD.boundary,
    async run(target) {
      const valid = validBody(target);
      for (const field of Object.keys(valid)) {
        const body = { ...valid, [field]: Array.from({ length: 50_000 }, () => ({})) };
        const response = await postJson(target, body);
        expectError(response, 400);
        expect(response.body.length < 1_000_000, `${response.body.length} bytes of details`);
      }
      await expectAlive(target);
    },
  },
  {
    id: "bodies.get-with-a-body",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const headers = { "Content-Type": "application/json" };
      for (const body of ["{}", "{", "x".repeat(10_000)]) {
        const response = await send(target.url, { path: "/health", body, headers });
        expectNoFailure(response);
      }
      await expectAlive(target);
    },
  },
  {
    id: "bodies.aborted-uploads",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      for (let count = 0; count < 30; count += 1) {
        const connection = await Connection.open(target.url);
        const headers = { "Content-Type": "application/json", "Content-Length": "1000" };
        connection.write(formatRequest(target.url, { method: "POST", path, headers, body: "{" }));
        if (count % 2 === 0) connection.reset();
        else connection.destroy();
      }
      await expectAlive(target);
      expectStatus(await postJson(target, validBody(target)), ...OK);
    },
  },
  {
    id: "bodies.answer-nobody-waits-for",
    level: "hardening",
    sentence: STANDARD.boundary,
    async run(target) {
      const { path } = needed(target.jsonRoute, "jsonRoute");
      for (let count = 0; count < 30; count += 1) {
        const connection = await Connection.open(target.url);
        connection.write(
          formatRequest(target.url, { method: "POST", path, json: validBody(target) }),
        );
        await new Promise(setImmediate);
        connection.reset();
      }
      await expectAlive(target);
    },
  },
];
