import { tmpdir } from "node:os";
import { join } from "node:path";

import { network } from "../../src/system/network.ts";
import { answers, startServer } from "../stack/server.ts";
import { installPython } from "./python.ts";

/** Starts moto, which is one server for all of AWS. @returns its endpoint. */
export async function startMoto(stack: AsyncDisposableStack): Promise<string> {
  const python = await installPython(join(import.meta.dirname, "python/moto.txt"));
  const [port = 0] = await network.freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  stack.use(
    await startServer({
      name: `moto-${port}`,
      command: [join(python, "../moto_server"), "--host", "127.0.0.1", "--port", `${port}`],
      folder: tmpdir(),
      ready: () => answers(`${endpoint}/moto-api/`, 200),
    }),
  );
  return endpoint;
}
