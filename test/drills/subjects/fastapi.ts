import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import type { Subject } from "../subject.ts";

const run = promisify(execFile);

/** Is there a Python to compare with? */
export async function hasPython(): Promise<boolean> {
  return run("python3", ["-c", "import venv, ensurepip"]).then(
    () => true,
    () => false,
  );
}

/** The reference: FastAPI under Gunicorn with Uvicorn's workers, from PyPI, in a virtual environment of its own. */
export async function fastapi(folder: string): Promise<Subject> {
  const service = join(folder, "fastapi");
  mkdirSync(service);
  await run("python3", ["-m", "venv", join(service, "venv")]);
  const requirements = join(import.meta.dirname, "requirements.txt");
  const pip = join(service, "venv/bin/pip");
  await run(pip, ["install", "--quiet", "--disable-pip-version-check", "-r", requirements]);

  const app = join(service, "app.py");
  const mendBuild = (): void => copyFileSync(join(import.meta.dirname, "fastapi-app.py"), app);
  mendBuild();
  return {
    name: "FastAPI, Gunicorn, Uvicorn",
    folder: service,
    command: ({ port }, options) => ({
      file: join(service, "venv/bin/gunicorn"),
      args: [
        "app:app",
        ...["--worker-class", "uvicorn_worker.UvicornWorker"],
        ...["--bind", `127.0.0.1:${port}`],
        ...["--workers", `${options.workers}`],
        ...["--timeout", `${options.timeout}`],
        ...["--graceful-timeout", "30", "--keep-alive", "65", "--access-logfile", "-"],
        ...["--max-requests", `${options.maxRequests ?? 0}`],
        ...["--max-requests-jitter", `${options.maxRequestsJitter ?? 0}`],
        // Its path is shared by every Gunicorn of a user, and so by other tests.
        "--no-control-socket",
      ],
      env: { DRILL_FOLDER: service, PYTHONDONTWRITEBYTECODE: "1" },
    }),
    breakBuild: () => writeFileSync(app, 'raise RuntimeError("a broken release")\n'),
    mendBuild,
    isReady: (log, workers) => log.split("Application startup complete").length > workers,
    explainsHang: (line) => line.includes('File "'),
  };
}
