import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { constants, createBrotliCompress } from "node:zlib";

import Handlebars from "handlebars";
import { type Plugin, rolldown, type RolldownOutput } from "rolldown";
import { minifySync } from "rolldown/utils";

import { unpack } from "../src/catalog/archive.ts";
import { loadTemplates } from "../src/catalog/templates.ts";
import { COMPILE_OPTIONS } from "../src/plan/compile.ts";
import { type Current, forgetDropped } from "../src/plan/forget.ts";
import { disk } from "../src/system/disk.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
const TEMPLATES = join(ROOT, "templates");

/**
 * The module that takes the place of src/cli/templates.ts. The templates of every version are compiled
 * here and now, so that the bundle needs Handlebars' small runtime only. All files lie in one file of
 * bytes, compiled templates too: what versions have in common costs nearly nothing there, and only what
 * a service needs is parsed.
 */
async function precompiledTemplates(store: Store): Promise<string> {
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const { manifest, files } = await loadTemplates(disk, TEMPLATES, version, () => () => "");
  const current: Current[] = [];
  // How long each file is, one after the other.
  const entries: [path: string, length: number, executable?: true][] = [];
  for (const section of [files.filter(isCommon), files.filter((file) => !isCommon(file))]) {
    for (const { path, executable } of section) {
      const source = await readFile(join(TEMPLATES, path));
      current.push({ path, source });
      const [start, end] = store.add(isTemplate(path) ? precompile(source) : source);
      entries.push(executable ? [path, end - start, true] : [path, end - start]);
    }
    store.endSection();
  }
  const archive = await storeArchive(store, current);
  await writeFile(
    join(DIST, "templates.js"),
    `import { runInThisContext } from "node:vm";
import handlebars from "handlebars/runtime.js";
import { bytes, text } from "./store.cjs";
export const template = (program) => compiled(() => program);
const compiled = (program) => {
  let template;
  return (context) => (template ??= handlebars.template(runInThisContext(program())))(context);
};
${archive}
export const manifest = JSON.parse(${JSON.stringify(JSON.stringify(manifest))});
let at = 0;
export const files = JSON.parse(${JSON.stringify(JSON.stringify(entries))}).map(([path, length, executable = false]) => {
  const start = at;
  const end = (at += length);
  if (path.endsWith(".hbs")) {
    return { path, executable, content: compiled(() => text(start, end)) };
  }
  return { path, executable, get content() { return bytes(start, end); } };
});\n`,
  );
  const { frameworks, packageManagers } = manifest;
  // What they are verified with is read when it is needed.
  const integrations = manifest.integrations.map((integration) => ({
    ...integration,
    examples: undefined,
  }));
  return `
export const catalogue = ${JSON.stringify({ frameworks, integrations, packageManagers })};
export const version = ${JSON.stringify(version)};
export async function builtInTemplates() {
  const { manifest, files } = await import(${JSON.stringify(join(DIST, "templates.js"))});
  return { version, manifest, files };
}
export async function builtInArchive() {
  const [{ archive, template }, { openArchive }] = await Promise.all([
    import(${JSON.stringify(join(DIST, "templates.js"))}),
    import(${JSON.stringify(join(ROOT, "src/catalog/archive.ts"))}),
  ]);
  return openArchive(archive(), template);
}
export async function builtInChangelog() {
  return (await import(${JSON.stringify(join(TEMPLATES, "changelog.json"))})).default;
}`;
}

/** What every new service has: it comes first, and is all that most runs need of the templates. */
function isCommon({ path }: { path: string }): boolean {
  return !/^(?:integrations|shared)\//.test(path);
}

/** What opens the store, as far as it is read: a module of the bundle, beside its chunks. */
function storeModule(file: string, ends: readonly SectionEnd[]): string {
  return `const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { brotliDecompressSync, constants } = require("node:zlib");
const packed = readFileSync(join(__dirname, ${JSON.stringify(file)}));
let opened = Buffer.alloc(0);
const upTo = (end) => {
  if (end > opened.length) {
    const [last, length] = ${JSON.stringify(ends)}.find(([last]) => end <= last);
    const finishFlush = constants.BROTLI_OPERATION_FLUSH;
    // In one piece; by default, it is put together from many small ones.
    const chunkSize = last;
    opened = brotliDecompressSync(packed.subarray(0, length), { finishFlush, chunkSize });
  }
  return opened;
};
exports.bytes = (start, end) => upTo(end).subarray(start, end);
exports.text = (start, end) => upTo(end).toString("utf8", start, end);
`;
}

/** Where a section ends, and where in the compressed bytes. */
type SectionEnd = [end: number, compressed: number];

/**
 * Bytes that are compressed as one, so that nearly equal files cost nearly nothing. A reader has to open them from the
 * start, up to the end of the section that it needs.
 */
class Store {
  readonly #sections: Uint8Array[][] = [[]];
  #length = 0;

  /** Where the next bytes will start. */
  get length(): number {
    return this.#length;
  }

  /** Returns where the bytes start and end. */
  add(bytes: Uint8Array): [start: number, end: number] {
    const start = this.#length;
    this.#sections.at(-1)?.push(bytes);
    this.#length += bytes.length;
    return [start, this.#length];
  }

  endSection(): void {
    this.#sections.push([]);
  }

  async compressed(): Promise<{ bytes: Buffer; ends: SectionEnd[] }> {
    const params = { [constants.BROTLI_PARAM_SIZE_HINT]: this.#length };
    const stream = createBrotliCompress({ params });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    const ends: SectionEnd[] = [];
    let end = 0;
    for (const section of this.#sections) {
      const bytes = Buffer.concat(section);
      end += bytes.length;
      stream.write(bytes);
      await new Promise<void>((resolve) => stream.flush(constants.BROTLI_OPERATION_FLUSH, resolve));
      ends.push([end, chunks.reduce((sum, chunk) => sum + chunk.length, 0)]);
    }
    stream.end();
    await finished(stream);
    return { bytes: Buffer.concat(chunks), ends };
  }
}

/** Puts the older versions into the store, each file as it is: JSON would quote every line's end. */
async function storeArchive(store: Store, current: readonly Current[]): Promise<string> {
  const whole = unpack(await readFile(join(ROOT, "templates-archive/templates.br")));
  const { blobs, ...rest } = forgetDropped(whole, current);
  const versions = Object.values(rest.versions).flatMap(({ files }) => files);
  const templates = new Set(versions.flatMap(([path, blob]) => (isTemplate(path) ? [blob] : [])));
  const firstBlob = store.length;
  const lengths = blobs.map((blob, index) => {
    if (typeof blob !== "string") {
      return blob;
    }
    const bytes = Buffer.from(blob);
    const [start, end] = store.add(templates.has(index) ? precompile(bytes) : bytes);
    return end - start;
  });
  const index = store.add(Buffer.from(JSON.stringify({ ...rest, lengths })));
  return `export function archive() {
  const { lengths, ...rest } = JSON.parse(text(${index.join(", ")}));
  let at = ${firstBlob};
  const next = (length) => text(at, (at += length));
  return { ...rest, blobs: lengths.map((length) => (typeof length === "number" ? next(length) : length)) };
}`;
}

function isTemplate(path: string): boolean {
  return path.endsWith(".hbs");
}

const PLACE = /\{"start":\{"line":\d+,"column":\d+\},"end":\{"line":\d+,"column":\d+\}\}/g;

/** The program of a compiled template, as an expression. */
function precompile(source: Buffer): Buffer {
  // Its type says that it could be no text, which it is only when asked to parse.
  const program = Handlebars.precompile(source.toString("utf8"), COMPILE_OPTIONS) as string;
  // Only a message of Handlebars' own says where in the template something was.
  const { code, errors } = minifySync("program.js", `program = ${program.replaceAll(PLACE, "0")}`);
  if (errors.length > 0) {
    throw new Error(`a compiled template is no program: ${errors[0]?.message}`);
  }
  return Buffer.from(`(${code.replace(/^program=|;\n?$/g, "")})`);
}

/** The chunks that stay as they are: every create needs the first, every terminal the second. */
const UNPACKED = /^(?:create-\w{8}|colours)/;

/** The chunks that many a create needs, so that they come first. */
const FOR_CREATE = /^(?:execa|mjs|semver|terminal)-/;

/** The least bytes of a chunk that make up for one more file to be opened. */
const WORTH_PACKING = 1200;

const store = new Store();

const builtIn = await (async (): Promise<Plugin> => {
  await rm(DIST, { recursive: true, force: true });
  await mkdir(DIST, { recursive: true });
  const code = await precompiledTemplates(store);
  return {
    name: "precompiled-templates",
    load: (id) => (id.endsWith("/src/cli/templates.ts") ? code : undefined),
  };
})();

/** Parts of execa that we never use, and that others of its parts call: each does nothing in the bundle. */
const UNUSED_OF_EXECA =
  /\/execa\/lib\/(?:methods\/main-sync|pipe\/setup|convert\/add|ipc\/(?:get-each|get-one|graceful|methods|send)|verbose\/(?:complete|ipc|output|start))\.js$/;

/** We only make folders, remove, and ask whether something is there. */
const UNUSED_OF_FS_EXTRA =
  /\/fs-extra\/lib\/(?:copy|empty|ensure|json|move|output-file)\/index\.js$/;

const UNUSED_OF_SEMVER =
  /\/semver\/(?:functions\/(?:clean|coerce|diff|inc|prerelease|rsort|sort|truncate)|ranges\/(?:gtr|ltr|max-satisfying|min-satisfying|outside|simplify|subset|to-comparators))\.js$/;

/** The lines of a licence that differ from package to package, and those that say nothing. */
const NOTICE = /^\s*(?:Copyright|\(c\)|©)/i;
const TITLE = /^\s*(?:The )?\(?(?:MIT|ISC)(?: License)?\)?:?\s*$/i;

const bundle = await rolldown({
  input: { main: join(ROOT, "src/cli/main.ts") },
  platform: "node",
  treeshake: {
    moduleSideEffects: [{ test: /\/node_modules\/(?:diff|yaml)\//, sideEffects: false }],
  },
  preserveEntrySignatures: "allow-extension",
  plugins: [
    builtIn,
    {
      name: "store-beside-the-chunks",
      resolveId: (id) => (id === "./store.cjs" ? { id, external: true } : undefined),
    },
    {
      name: "commander-without-child-process",
      // Commander loads it for subcommands that are programs of their own. We have none, and loading
      // it is a sixth of the time that Node takes to start.
      resolveId: (id, importer) =>
        id === "node:child_process" && importer?.includes("/commander/")
          ? join(ROOT, "scripts/empty.ts")
          : undefined,
    },
    {
      name: "execa-without-what-is-unused",
      load: async (id) => {
        if (!UNUSED_OF_EXECA.test(id)) return undefined;
        const exported = (await readFile(id, "utf8")).matchAll(/^export const (\w+)/gm);
        return Array.from(exported, ([, name = ""]) => {
          // The one whose result is taken apart as execa loads.
          const result = name === "getIpcExport" ? "({})" : "undefined";
          return `export const ${name} = () => ${result};`;
        }).join("\n");
      },
    },
    {
      name: "execa-without-words-for-signals",
      resolveId: (id) => (id === "human-signals" ? join(ROOT, "scripts/no-signals.ts") : undefined),
    },
    {
      name: "semver-without-what-is-unused",
      load: (id) => (UNUSED_OF_SEMVER.test(id) ? "module.exports = {};" : undefined),
    },
    {
      name: "fs-extra-without-what-is-unused",
      load: (id) => (UNUSED_OF_FS_EXTRA.test(id) ? "module.exports = {};" : undefined),
    },
    {
      name: "fs-extra-without-graceful-fs",
      // It queues asynchronous calls when too many files are open; ours are synchronous.
      resolveId: (id) => (id === "graceful-fs" ? join(ROOT, "scripts/plain-fs.cjs") : undefined),
    },
    {
      name: "handlebars-without-source-maps",
      // It loads the library on the off chance that somebody wants a map of a compiled template.
      resolveId: (id, importer) =>
        id === "source-map" && importer?.includes("/handlebars/")
          ? join(ROOT, "scripts/empty.ts")
          : undefined,
    },
    {
      name: "yaml-as-modules",
      // What is built for Node is CommonJS, of which nothing unused can be left out.
      resolveId: (id) =>
        id === "yaml" ? join(ROOT, "node_modules/yaml/browser/dist/index.js") : undefined,
    },
  ],
});
// As CommonJS: importing Node's own modules into an ES module reads every export of theirs, and with
// it makes the streams of node:process. That alone is a third of the time that Node takes to start.
const { output } = await bundle.write({
  dir: DIST,
  format: "cjs",
  minify: true,
  codeSplitting: {
    // One file for everything that every create needs: finding and opening a file costs, too.
    includeDependenciesRecursively: false,
    groups: [
      {
        name: "create",
        priority: 2,
        test: /\/src\/(?:cli\/(?:create|collect-answers|create-report|host|nested|next-steps|report)|answers\/(?:ask|complete|schema|text)|apply\/(?:explain|git|install|target|terminal-node|verify|workspace|write)|catalog\/(?:layers|manifest|templates)|plan\/(?:accepted|blob-id|context|owner|render|state|tree|merge\/[a-z]+|merge\/three-way\/encoding)|system\/(?:disk|commands|processes))\.ts$|\/scripts\/plain-fs|\/(?:fs-extra|jsonfile|universalify|zod)\/|\/handlebars\/(?:runtime|dist\/cjs\/handlebars(?:\.runtime|\/(?!compiler)))|dist\/templates/,
      },
      // A create asks it for Node's version; with the next, it would load all of that.
      { name: "semver", priority: 1, test: /\/semver\// },
      // And one for what the commands of a service share.
      {
        name: "service",
        priority: 1,
        test: /\/src\/(?:cli\/(?:open-service|change|change-report|drift)|apply|catalog\/changelog|plan\/(?!compile))|\/(?:diff|node-diff3)\//,
      },
    ],
  },
  entryFileNames: "[name].cjs",
  chunkFileNames: "chunks/[name]-[hash].cjs",
});
await rm(join(DIST, "templates.js"));
await writeStore(store, "store");
await packChunks();
await writeLicences(packagesIn(output));

/** Writes the bytes of a store, and beside the chunks the module that opens it. */
async function writeStore(written: Store, name: string): Promise<void> {
  const { bytes, ends } = await written.compressed();
  await writeFile(join(DIST, `${name}.br`), bytes);
  await writeFile(join(DIST, `chunks/${name}.cjs`), storeModule(`../${name}.br`, ends));
}

/**
 * Packs the code that a plain create does not need: as one, it is a sixth smaller than what npm makes of it. In the place
 * of a chunk stays a line that loads it.
 */
async function packChunks(): Promise<void> {
  const packed = new Store();
  const names = (await readdir(join(DIST, "chunks"))).filter((name) => !UNPACKED.test(name));
  const forCreate = names.filter((name) => FOR_CREATE.test(name));
  const others = names.filter((name) => !FOR_CREATE.test(name));
  for (const section of [forCreate, others]) {
    for (const name of section) {
      const path = join(DIST, "chunks", name);
      const code = await readFile(path);
      if (code.length > WORTH_PACKING) {
        const place = packed.add(code).join(", ");
        await writeFile(
          path,
          `module._compile(require("./code.cjs").text(${place}), __filename);\n`,
        );
      }
    }
    packed.endSection();
  }
  await writeStore(packed, "code");
}

/** The folders of the packages in the bundle: their licences must be in ours. */
function packagesIn(outputs: RolldownOutput["output"]): string[] {
  const modules = outputs.flatMap((part) =>
    part.type === "chunk" ? Object.entries(part.modules) : [],
  );
  const folders = modules.flatMap(([id, { renderedLength }]) => {
    const [folder] = /.*\/node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(id) ?? [];
    return folder === undefined || renderedLength === 0 ? [] : folder;
  });
  return [...new Set(folders)].sort();
}

async function writeLicences(inlined: readonly string[]): Promise<void> {
  // A text is there once, however it is wrapped, below the packages and the copyright notices that it belongs to.
  const groups = new Map<string, { owners: Map<string, string[]>; text: string }>();
  for (const folder of inlined) {
    const { name, version, license } = JSON.parse(
      await readFile(join(folder, "package.json"), "utf8"),
    );
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const lines = file ? (await readFile(join(folder, file), "utf8")).trim().split("\n") : [];
    const notice = lines.filter((line) => NOTICE.test(line)).map((line) => line.trim());
    const text = lines.filter((line) => !NOTICE.test(line) && !TITLE.test(line)).join("\n");
    const key = text.replaceAll(/[\s*]+/g, " ").trim();
    const group = groups.get(key) ?? { owners: new Map(), text: text.trim() };
    groups.set(key, group);
    const owner = notice.join("\n");
    const packages = group.owners.get(owner) ?? [];
    group.owners.set(owner, [...packages, `${name} ${version} (${license})`]);
  }
  const texts = Array.from(groups.values(), ({ owners, text }) => {
    const names = Array.from(owners, ([owner, packages]) => [...packages, owner].join("\n"));
    return `${names.join("\n\n")}\n\n${text}\n`;
  });
  await writeFile(join(DIST, "LICENSES.txt"), texts.join(`\n${"-".repeat(80)}\n\n`));
}
