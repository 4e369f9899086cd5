import manifest from "../../package.json" with { type: "json" };

/** Name, version and description of this service: package.json is the only place they stand. */
export const { name, version, description } = manifest;
