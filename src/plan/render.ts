import type { Answers } from "../answers/schema.ts";
import { layersOf } from "../catalog/layers.ts";
import type { TemplateFile, Templates } from "../catalog/templates.ts";
import { InternalError } from "../errors.ts";
import { type Context, contextOf, emptySlots, type Slots } from "./context.ts";
import { joinOf } from "./merge/layers.ts";
import { ownerOf } from "./owner.ts";
import type { RememberedFiles } from "./remembered.ts";
import { STATE_FILE, stateOf } from "./state.ts";
import { inOrder, type Tree, type TreeFile } from "./tree.ts";

/**
 * The whole service as a value. Equal answers and templates give equal bytes: it knows no clock, no
 * randomness, no folder, no network and no disk.
 */
export function render(templates: Templates, answers: Answers): Tree {
  const layers = layersOf(templates.manifest, answers).map((folder) => filesOf(templates, folder));
  const context = contextOf(templates, answers, slotsOf(templates, answers, layers.flat()));
  const tree = new Map<string, TreeFile>();
  for (const file of layers.flat().filter((candidate) => !candidate.slot)) {
    addFile(tree, file, produce(file.template, context), templates.manifest.once);
  }
  tree.set(STATE_FILE, stateOf(templates, answers, tree, rememberedOf(templates, answers)));
  return inOrder([...tree]);
}

/** The files of a service that are left out of the render, because only their ids are known. */
export function rememberedOf(templates: Templates, answers: Answers): RememberedFiles {
  const layers = layersOf(templates.manifest, answers);
  const files = (templates.remembered ?? []).flatMap(({ path, executable, ...ids }) => {
    const layer = layers.find((folder) => path.startsWith(`${folder}/`));
    const mode = executable ? 0o755 : 0o644;
    const target = targetPath(path);
    const owner = ownerOf(target, templates.manifest.once);
    return layer === undefined ? [] : [[target, { ...ids, mode, owner }] as const];
  });
  return new Map(files);
}

interface LayerFile {
  /** Where the file goes in the service. */
  path: string;
  /** The slot that it fills, when it is a piece of other files and no file itself. */
  slot: string | undefined;
  template: TemplateFile;
}

function filesOf(templates: Templates, layer: string): LayerFile[] {
  const prefix = `${layer}/`;
  return templates.files
    .filter((file) => file.path.startsWith(prefix))
    .map((template) => {
      const path = targetPath(template.path);
      return { path, slot: /^slots\/([^/.]+)/.exec(path)?.[1], template };
    });
}

/**
 * Where a template goes in a service: out of its layer's folder. npm drops or reads some names when it packs, so
 * templates store them with a `_`.
 */
export function targetPath(path: string): string {
  return path
    .replace(/^(?:base|[^/]+\/[^/]+)\//, "")
    .replace(/\.hbs$/, "")
    .replace(/(^|\/)_(gitattributes|gitignore|npmrc|dockerignore)$/, "$1.$2");
}

function slotsOf(templates: Templates, answers: Answers, files: readonly LayerFile[]): Slots {
  const slots = emptySlots(templates);
  const context = contextOf(templates, answers, emptySlots(templates));
  for (const { slot, template } of files) {
    if (slot) {
      const pieces = slots[slot];
      if (!pieces) {
        throw new InternalError(`${template.path}: the manifest has no slot "${slot}"`);
      }
      pieces.push(produce(template, context).toString("utf8").replace(/\n$/, ""));
    }
  }
  return slots;
}

function produce(template: TemplateFile, context: Context): Buffer {
  if (typeof template.content !== "function") {
    return Buffer.from(template.content);
  }
  try {
    return Buffer.from(template.content(context));
  } catch (error) {
    throw new InternalError(`the template ${template.path} does not render`, error);
  }
}

function addFile(
  tree: Map<string, TreeFile>,
  { path, template }: LayerFile,
  bytes: Buffer,
  once: readonly string[],
): void {
  const merge = joinOf(path);
  const below = tree.get(path);
  if (below && !merge) {
    throw new InternalError(`${template.path}: another layer already owns ${path}`);
  }
  tree.set(path, {
    bytes: merge ? Buffer.from(merge(below && text(below), bytes.toString("utf8"))) : bytes,
    mode: template.executable ? 0o755 : 0o644,
    owner: ownerOf(path, once),
  });
}

function text(file: TreeFile): string {
  return Buffer.from(file.bytes).toString("utf8");
}
