import type { TemplateFile, Templates } from "../../src/catalog/templates.ts";

/** A version to come: every kind of change that a template can go through, beside each other. */
export function nextOf(templates: Templates, version = "98.0.0"): Templates {
  const open = new Set(Object.keys(CHANGES));
  const files = templates.files.flatMap((file): TemplateFile[] => {
    const path = file.path.replace(/\.hbs$/, "");
    open.delete(path);
    return CHANGES[path]?.(file) ?? [file];
  });
  if (open.size > 0) {
    throw new Error(`no longer there: ${[...open].join(", ")}`);
  }
  const added = { path: "base/src/platform/news.ts", executable: true, content: NEWS };
  return { ...templates, version, files: [...files, added] };
}

const NEWS = Buffer.from('/** What is new. */\nexport const news = "nothing";\n');

const CHANGES: Record<string, (file: TemplateFile) => TemplateFile[]> = {
  // Lines changed, lines new, and lines gone.
  "base/src/platform/errors.ts": edit((text) =>
    text
      .replace(/^import /m, 'import "./news.ts";\nimport ')
      .replace(/^}\n/m, "  // The end.\n}\n"),
  ),
  "framework/express/src/app.ts": edit((text) => `// Of the next version.\n${text}`),
  "framework/fastify/src/app.ts": edit((text) => `// Of the next version.\n${text}`),
  "base/README.md": edit((text) => `${text}\n## News\n\nThere are some.\n`),
  "base/tsconfig.json": edit((text) => text.replace("{", '{\n  "display": "next",')),
  "base/package.json": edit((text) =>
    text
      .replace(/"zod": "[^"]+"/, '"zod": "9.9.9"')
      .replace('"dependencies": {', '"dependencies": {\n    "a-new-one": "1.0.0",'),
  ),
  "base/fsd.yml": edit((text) =>
    text.replace("cpu: 512", "cpu: 1024").replace("dns_ttl: 10", "dns_ttl: 20"),
  ),
  "base/.env.example": edit((text) => `${text}\n# Of the next version\nNEWS=1\n`),
  "base/_gitignore": edit((text) => `news/\n${text}`),
  // Deleted, and moved.
  "base/test/smoke.test.ts": () => [],
  "base/src/platform/raw-body.ts": moved("base/src/platform/http/raw-body.ts"),
};

/** With a line changed, which the user may have changed, too. */
function moved(path: string) {
  return (file: TemplateFile): TemplateFile[] =>
    edit((text) => text.replace(/^export /m, "// Moved here.\n$&"))({ ...file, path });
}

function edit(change: (text: string) => string) {
  return (file: TemplateFile): TemplateFile[] => {
    const { content } = file;
    return [
      {
        ...file,
        content:
          typeof content === "function"
            ? (context) => change(content(context))
            : Buffer.from(change(Buffer.from(content).toString("utf8"))),
      },
    ];
  };
}
