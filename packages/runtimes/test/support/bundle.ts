import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

const source = (path: string): string => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));

/** As docs/breaker.md says. */
const events = fileURLToPath(new URL("events.cjs", import.meta.url));

/** CommonJS packages ask for modules of Node by `require`. */
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

export type Platform = "node" | "bun" | "deno" | "workerd" | "browser";

const platforms: Readonly<Record<Platform, BuildOptions>> = {
  node: { platform: "node", target: "node22", banner: { js: REQUIRE } },
  bun: { platform: "node", conditions: ["bun"], banner: { js: REQUIRE } },
  deno: { platform: "node", conditions: ["deno"], banner: { js: REQUIRE } },
  workerd: { platform: "neutral", conditions: ["workerd"], mainFields: ["module", "main"], alias: { events } },
  browser: { platform: "browser", conditions: ["browser"], target: ["chrome103", "safari16"] },
};

/** One module with everything in it, as a bundler makes it for a platform from the sources. */
export async function bundle(platform: Platform, entry: string, options: BuildOptions = {}): Promise<string> {
  const { conditions = [], ...rest } = platforms[platform];
  const result = await build({
    entryPoints: [source(entry)],
    bundle: true,
    write: false,
    format: "esm",
    logLevel: "silent",
    conditions: ["@fairlead/source", ...conditions],
    // What one build has and another has not is asked for on purpose.
    logOverride: { "import-is-undefined": "silent" },
    ...rest,
    ...options,
  });
  return result.outputFiles?.[0]?.text ?? "";
}
