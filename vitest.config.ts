import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const workspace = fileURLToPath(new URL(".", import.meta.url));

/** One project per workspace package, named like its folder. */
const folders = [
  ...["packages", "examples"].flatMap((parent) =>
    readdirSync(`${workspace}${parent}`)
      .map((name) => `${parent}/${name}`)
      .filter((folder) => existsSync(`${workspace}${folder}/package.json`)),
  ),
  "docs",
];

// Without this condition sister packages would resolve to a stale dist, or to none.
const conditions = ["@fairlead/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  cacheDir: `${workspace}node_modules/.cache/vite`,
  test: {
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts"],
      exclude: ["**/*.test.ts", "packages/bench/**", "packages/faults/**", "packages/runtimes/**"],
      reportsDirectory: ".results/coverage",
    },
    projects: folders.map((folder) => ({
      extends: true as const,
      root: `${workspace}${folder}`,
      test: {
        name: folder.slice(folder.lastIndexOf("/") + 1),
        include: ["src/**/*.test.ts", "test/**/*.test.ts"],
      },
    })),
  },
});
