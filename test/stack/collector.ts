import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { network } from "../../src/system/network.ts";
import { buildGoProgram } from "./go.ts";
import { answers, scratchFolder, startServer } from "./server.ts";
import { readSpans, type Span } from "./spans.ts";

/** An OpenTelemetry collector that keeps what it receives. */
export interface Collector extends AsyncDisposable {
  /** What OTEL_EXPORTER_OTLP_ENDPOINT is to be. */
  endpoint: string;
  /** The spans that it has received so far. */
  spans: () => Promise<Span[]>;
}

/** Its program; compiled once. */
export function installCollector(): Promise<string> {
  return buildGoProgram(join(import.meta.dirname, "collector"), "OpenTelemetry, 3 minutes");
}

/** Starts a collector for traces on free ports. */
export async function startCollector(): Promise<Collector> {
  const program = await installCollector();
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await scratchFolder("collector"));
  const [grpc = 0, http = 0] = await network.freePorts(2);
  const traces = join(folder.path, "traces.json");
  const config = join(folder.path, "config.json");
  await writeFile(config, JSON.stringify(configOf(grpc, http, traces)));
  stack.use(
    await startServer({
      name: "collector",
      command: [program, "--config", config],
      folder: folder.path,
      // It is there, and wants another method.
      ready: () => answers(`http://127.0.0.1:${http}/v1/traces`, 405),
    }),
  );
  const resources = stack.move();
  return {
    endpoint: `http://127.0.0.1:${grpc}`,
    spans: () => readSpans(traces),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function at(port: number): object {
  return { endpoint: `127.0.0.1:${port}` };
}

/** In JSON, which is YAML, too. */
function configOf(grpc: number, http: number, path: string): object {
  return {
    receivers: { otlp: { protocols: { grpc: at(grpc), http: at(http) } } },
    exporters: { file: { path, flush_interval: "200ms" } },
    service: {
      telemetry: { metrics: { level: "none" }, logs: { level: "warn" } },
      pipelines: { traces: { receivers: ["otlp"], exporters: ["file"] } },
    },
  };
}
