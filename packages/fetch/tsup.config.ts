import { defineConfig } from "tsup";

export default defineConfig({
  entry: { index: "src/index.ts", "node/index": "src/node/index.ts", "undici/index": "src/undici/index.ts" },
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
