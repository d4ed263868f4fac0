import { existsSync, globSync, readFileSync } from "node:fs";
import { workspace } from "./command.ts";

export interface PublishedPackage {
  readonly name: string;
  readonly folder: string;
}

/** Every package that is published, in the order of its folder's name. */
export function publishedPackages(): PublishedPackage[] {
  return globSync("packages/*/package.json", { cwd: workspace })
    .toSorted()
    .map((path) => ({
      folder: `${workspace}${path.slice(0, -"/package.json".length)}`,
      manifest: readManifest(path),
    }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ folder, manifest }) => ({ name: manifest.name, folder }));
}

function readManifest(path: string): { name: string; private?: boolean } {
  return JSON.parse(readFileSync(`${workspace}${path}`, "utf8"));
}

/** Every tsconfig that checks something: per member one for all its files, and one for what runs everywhere. */
export function checkedConfigs(): string[] {
  const members = [".ci", "docs", ...globSync(["packages/*", "examples/*"], { cwd: workspace }).toSorted()];
  return members
    .flatMap((member) => [`${member}/tsconfig.json`, `${member}/tsconfig.portable.json`])
    .filter((path) => existsSync(`${workspace}${path}`));
}
