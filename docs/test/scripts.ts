import { globSync, readFileSync } from "node:fs";
import { workspace } from "./code-blocks.ts";

interface Manifest {
  readonly name: string;
  readonly scripts?: Readonly<Record<string, string>>;
}

/** What pnpm does by itself. */
const BUILT_IN = new Set(["add", "install", "pack"]);
const PNPM = /^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:npx -y pnpm@12|pnpm) (?<rest>.+)$/;

/** The scripts of a `sh` block that don't exist, as `package: script`. */
export function missingScripts(code: string): string[] {
  return code.split("\n").flatMap((line) => {
    const rest = PNPM.exec(line.trim())?.groups?.["rest"]?.split(/\s+/) ?? [];
    const filtered = rest[0] === "--filter" ? rest[1] : undefined;
    const words = (filtered === undefined ? rest : rest.slice(2)).filter((word) => word !== "run");
    const script = words[0];
    if (script === undefined || BUILT_IN.has(script)) return [];
    const manifest = filtered === undefined ? readManifest("package.json") : findMember(filtered);
    return manifest?.scripts?.[script] === undefined ? [`${filtered ?? "workspace"}: ${script}`] : [];
  });
}

function findMember(name: string): Manifest | undefined {
  return globSync(["packages/*/package.json", "examples/*/package.json"], { cwd: workspace })
    .map(readManifest)
    .find((manifest) => manifest.name === name);
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(`${workspace}${path}`, "utf8"));
}
