import { defineConfig } from "tsup";

export default defineConfig({
  entry: { browser: "src/browser.ts", node: "src/node.ts", portable: "src/portable.ts" },
  format: "esm",
  // OBS embeds old Chromium.
  target: ["es2022", "chrome103", "safari16"],
  platform: "neutral",
  sourcemap: true,
  clean: true,
  silent: true,
  // Some runtimes know `node:` modules by that prefix only.
  removeNodeProtocol: false,
  external: [/^node:/],
  // tsc writes the declarations (tsconfig.build.json).
  dts: false,
});
