import { chmod, copyFile, cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import type { Engine } from "./engine.ts";

// Kept from run to run, for the base image and the layers of the services.
const CACHE = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "create-fetch-service",
);
const STORE = [
  ...["--root", join(CACHE, "containers"), "--runroot", join(tmpdir(), "create-fetch-service-run")],
  ...["--storage-driver", "overlay"],
];
const BASE = "localhost/node-on-debian";
const NPM = "npm@11.19.1";
const PACKAGES = ["buildah", "podman", "runc", "mmdebstrap"];

/** Builds with buildah and runs with podman, as root, without a daemon. */
export async function debianEngine(): Promise<Engine> {
  await needPackages();
  await makeBaseImage();
  return {
    build: async (context, tag) => {
      await buildah("tag", BASE, `docker.io/library/${await baseNameIn(context)}`);
      await withRegistryAccess(async (volumes) => {
        await buildah(...BUILD, "--layers", ...volumes, "--tag", tag, context);
      });
    },
    // Without CAP_SYS_RESOURCE podman's own limits cannot be set. Its read-only mode would leave /tmp writable.
    runFlags: ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", "--read-only-tmpfs=false"],
    command: async (...args) => (await execa("podman", [...PODMAN, ...args])).stdout,
  };
}

// Debian's crun refuses the cgroup layout of many CI machines, and there is no systemd to ask for groups.
const PODMAN = [
  ...[...STORE, "--runtime", "/usr/sbin/runc"],
  ...["--cgroup-manager", "cgroupfs", "--events-backend", "file"],
];

// In chroots, steps need no cgroups; --pull-never, since there is nothing to pull from.
const BUILD = [
  ...["build", "--isolation", "chroot", "--network", "host"],
  ...["--pull-never", "--format", "docker"],
];

async function buildah(...args: string[]): Promise<void> {
  await execa("buildah", [...STORE, ...args], { all: true });
}

async function needPackages(): Promise<void> {
  const found = await Promise.all(
    PACKAGES.map((name) => execa("sh", ["-c", `command -v ${name}`], { reject: false })),
  );
  const missing = PACKAGES.filter((_, index) => found[index]?.failed);
  if (missing.length === 0 && process.getuid?.() === 0) {
    return;
  }
  const debian = await readFile("/etc/debian_version").catch(() => undefined);
  if (process.getuid?.() !== 0 || debian === undefined) {
    throw new Error("container tests need a Docker engine, or root on Debian");
  }
  if (process.env["CI"] !== "true") {
    throw new Error(
      `container tests need a Docker engine, or Debian's ${missing.join(", ")}: install them, or set CI=true to have it done`,
    );
  }
  await execa("apt-get", ["update", "--quiet=2"]);
  const quiet = ["--yes", "--quiet=2", "--no-install-recommends"];
  await execa("apt-get", ["install", ...quiet, "-o", "DPkg::Lock::Timeout=300", ...missing], {
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
}

// What Debian's slim images leave out.
const SLIM = ["doc", "info", "locale", "man"];

/** Makes the base image, with the Node that runs this, unless there is one with that Node. */
async function makeBaseImage(): Promise<void> {
  const image = `${BASE}:${process.versions.node}`;
  const { failed } = await execa("buildah", [...STORE, "inspect", "--type", "image", image], {
    reject: false,
  });
  if (failed) {
    const context = await mkdtemp(join(tmpdir(), "base-image-"));
    await cp(join(import.meta.dirname, "base-image"), context, { recursive: true });
    await execa("mmdebstrap", [
      ...["--quiet", "--variant=minbase", "--include=ca-certificates,libatomic1,libstdc++6"],
      ...SLIM.map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`),
      ...["bookworm", join(context, "rootfs.tar")],
    ]);
    await copyFile(process.execPath, join(context, "node"));
    await chmod(join(context, "node"), 0o755);
    const { stdout } = await execa("npm", ["pack", "--silent", NPM], { cwd: context });
    await execa("tar", ["xzf", stdout], { cwd: context });
    await rename(join(context, "package"), join(context, "npm"));
    await buildah(...BUILD, "--tag", image, context);
    await rm(context, { recursive: true });
  }
  await buildah("tag", image, BASE);
}

/** The image that a Dockerfile starts from. */
async function baseNameIn(context: string): Promise<string> {
  const dockerfile = await readFile(join(context, "Dockerfile"), "utf8");
  const name = /^ARG NODE_IMAGE=(\S+)$/m.exec(dockerfile)?.[1];
  if (name === undefined) {
    throw new Error("the Dockerfile does not say which image it starts from");
  }
  return name;
}

// Debian's own list of whom to trust, at the same path on both sides.
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/** npm in the container gets the registry and the certificates of this machine, as mounts that no layer keeps. */
async function withRegistryAccess(build: (volumes: string[]) => Promise<void>): Promise<void> {
  // Not as npm sees it in this project, whose own settings are no concern of the service.
  const { stdout } = await execa("npm", ["config", "get", "registry"], { cwd: tmpdir() });
  const folder = await mkdtemp(join(tmpdir(), "npmrc-"));
  const npmrc = join(folder, "npmrc");
  await writeFile(npmrc, `registry=${stdout}\ncafile=${CERTIFICATES}\n`);
  await chmod(folder, 0o755);
  const mounts = [`${npmrc}:/usr/local/etc/npmrc:ro`, `${CERTIFICATES}:${CERTIFICATES}:ro`];
  try {
    await build(mounts.flatMap((mount) => ["--volume", mount]));
  } finally {
    await rm(folder, { recursive: true });
  }
}
