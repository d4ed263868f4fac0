import { defineConfig } from "tsup";

export default defineConfig({
  entry: { index: "src/index.ts" },
  format: "esm",
  target: "es2022",
  platform: "neutral",
  sourcemap: true,
  clean: true,
  silent: true,
  // tsc writes the declarations (tsconfig.build.json).
  dts: false,
});
