import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { delimiter, join } from "node:path";

/** What the benchmark runs besides Node. */
export const TOOLS: Record<string, string> = {
  taskset: "keeps server and load on CPUs of their own",
  python3: "runs the FastAPI service",
};

// Below the ports that the system gives to outgoing connections, of which the load opens many.
const FIRST_PORT = 18_000;

/** One line for each tool that is missing: better told now than after minutes of preparation. */
export function missingTools(
  path = process.env["PATH"] ?? "",
  platform = process.platform,
): string[] {
  const folders = path.split(delimiter);
  const isThere = (tool: string): boolean =>
    folders.some((folder) => isProgram(join(folder, tool)));
  return [
    ...(platform === "linux" ? [] : ["Linux is needed: CPU and memory are read from /proc"]),
    ...Object.entries(TOOLS).flatMap(([tool, use]) =>
      isThere(tool) ? [] : [`${tool} is needed: it ${use}`],
    ),
  ];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Ports that nobody listens on, for servers that come one after the other. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let port = FIRST_PORT; ports.length < count; port += 1) {
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
