import { createRequire } from "node:module";
import { cpus, platform, release, totalmem } from "node:os";

/** What the figures depend on besides the code. */
export function machine(): readonly (readonly [string, string])[] {
  const processors = cpus();
  const { version } = createRequire(import.meta.url)("undici/package.json") as { version: string };
  return [
    ["date", new Date().toISOString().slice(0, 16).replace("T", " ").concat(" UTC")],
    ["processor", `${processors[0]?.model.trim() ?? "unknown"}, ${processors.length} cores`],
    ["memory", `${Math.round(totalmem() / 2 ** 30)} GB`],
    ["system", `${platform()} ${release()}`],
    ["Node", process.versions.node],
    ["undici", `${version}; in Node: ${process.versions["undici"] ?? "none"}`],
  ];
}
