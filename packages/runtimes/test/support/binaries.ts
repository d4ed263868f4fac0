import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Versions of Node, as the workspace's own packages. */
export const nodes: Readonly<Record<string, string>> = {
  "Node 22": here("../../../fetch/test/node-versions/node_modules/node22/bin/node"),
  "Node 24": here("../../../../node_modules/node/bin/node"),
  "Node 26": here("../../../fetch/test/node-versions/node_modules/node26/bin/node"),
};

/** Their packages put binaries in place by install scripts, which do not run here: the binaries lie in packages of their own. */
export function bunBinary(): string | undefined {
  const packages =
    process.platform === "linux" ? [`linux-${arch()}`, `linux-${arch()}-musl`] : [`${process.platform}-${arch()}`];
  return firstOf(
    "bun",
    packages.map((name) => `@oven/bun-${name}/bin/bun`),
  );
}

export function denoBinary(): string | undefined {
  const system = process.platform === "linux" ? "linux" : process.platform;
  const libc = process.platform === "linux" ? "-glibc" : "";
  return firstOf("deno", [`@deno/${system}-${process.arch}${libc}/deno`]);
}

/** Bun says `aarch64`. */
function arch(): string {
  return process.arch === "arm64" ? "aarch64" : process.arch;
}

/** The first of the files, found from where the package sees its dependencies. */
function firstOf(packageName: string, files: readonly string[]): string | undefined {
  const seenBy = createRequire(createRequire(import.meta.url).resolve(`${packageName}/package.json`));
  for (const file of files) {
    try {
      return seenBy.resolve(file);
    } catch {
      // Not for this machine.
    }
  }
  return undefined;
}

/** A browser of the system. */
export function chromiumBinary(): string | undefined {
  return ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
}
