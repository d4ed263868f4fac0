// The packages as they are published: built files and `publishConfig`, as each runtime finds them.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build as esbuild } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bunBinary, denoBinary, nodes } from "./support/binaries.ts";

const run = promisify(execFile);
const packagesFolder = fileURLToPath(new URL("../../", import.meta.url));
const scratch = fileURLToPath(new URL("../node_modules/.cache/published/", import.meta.url));
const names = ["core", "breaker", "fetch", "fairlead"];
const required = process.env["FAIRLEAD_REQUIRE_SERVERS"] === "1";

/** Builds a package and puts it where it would be installed, beside what it depends on. */
async function install(name: string): Promise<void> {
  const folder = `${packagesFolder}${name}`;
  const manifest = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const place = `${scratch}node_modules/${manifest.name}`;
  mkdirSync(place, { recursive: true });
  await run(`${folder}/node_modules/.bin/tsup`, ["--out-dir", `${place}/dist`], { cwd: folder });
  writeFileSync(`${place}/package.json`, JSON.stringify({ ...manifest, exports: manifest.publishConfig.exports }));
  for (const dependency of readdirSync(`${folder}/node_modules`)) {
    const target = `${scratch}node_modules/${dependency}`;
    if (!dependency.startsWith(".") && !dependency.startsWith("@") && !existsSync(target)) {
      symlinkSync(`${folder}/node_modules/${dependency}`, target);
    }
  }
}

beforeAll(async () => {
  rmSync(scratch, { recursive: true, force: true });
  for (const name of names) await install(name);
  writeFileSync(
    `${scratch}main.mjs`,
    `import * as everything from "fairlead";
    const orders = everything.fairlead({ name: "orders", backends: ["http://127.0.0.1:8081"] });
    const has = (name) => name in orders;
    console.log([typeof orders.fetch, has("request"), has("dispatcher"), "circuitBreaker" in everything, "tcpCheck" in everything].join());
    const names = ["createForward", "createRouter", "cookieAffinity", "headerAffinity", "redirectToHttps", "createFetch"];
    console.log([typeof orders.forward, names.every((name) => typeof everything[name] === "function"), "createNodeListener" in everything].join());
    await orders.close();`,
  );
  writeFileSync(
    `${scratch}undici.mjs`,
    `import { undiciTransport } from "@fairlead/fetch/undici";
    try { undiciTransport(); } catch ({ code, message }) { console.log(code, message); }`,
  );
}, 60_000);

afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const everywhere = [
  ...Object.entries(nodes).map(([name, binary]) => ({
    name,
    binary,
    args: [],
    isNode: true,
    has: "function,true,true,true,true\nfunction,true,true",
  })),
  {
    name: "Bun",
    binary: bunBinary(),
    args: [],
    isNode: false,
    has: "function,false,false,true,false\nfunction,true,false",
  },
  {
    name: "Deno",
    binary: denoBinary(),
    args: ["run", "--quiet", "--node-modules-dir=manual", "--allow-env", "--allow-read"],
    isNode: false,
    has: "function,false,false,true,false\nfunction,true,false",
  },
];

describe("the published package is found", () => {
  for (const { name, binary, args, has } of everywhere) {
    test.skipIf(binary === undefined && !required)(`in ${name}`, { timeout: 30_000 }, async () => {
      const { stdout } = await run(binary ?? "", [...args, `${scratch}main.mjs`], { cwd: scratch });
      expect(stdout.trim()).toBe(has);
    });
  }
});

describe("undici's transport is refused where `fetch` takes no dispatcher", () => {
  for (const { name, binary, args } of everywhere.filter(({ isNode }) => !isNode)) {
    test.skipIf(binary === undefined && !required)(`by ${name}`, { timeout: 30_000 }, async () => {
      const { stdout } = await run(binary ?? "", [...args, `${scratch}undici.mjs`], { cwd: scratch });
      expect(stdout).toMatch(new RegExp(`^FAIRLEAD_ERR_CONFIG .*${name}'s fetch takes no dispatcher`));
    });
  }
});

describe("a bundle of the published package asks for nothing of Node", () => {
  const entry = {
    contents: 'export { cookieAffinity, createFetch, createForward, createRouter, fairlead } from "fairlead";',
    resolveDir: scratch,
  };

  test.each([
    ["for browsers", "browser"],
    ["for workerd", "workerd"],
  ])("%s", async (_, condition) => {
    // A module that is not there is an error.
    const { metafile, warnings } = await esbuild({
      stdin: entry,
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: condition === "browser" ? "browser" : "neutral",
      conditions: [condition],
      mainFields: ["module", "main"],
      // opossum's, which is looked for though it is left out in the end; wrangler knows it by itself.
      external: condition === "workerd" ? ["events"] : [],
      target: ["chrome103", "safari16"],
      logLevel: "silent",
    });
    expect(warnings).toEqual([]);
    const used = Object.values(metafile.outputs).flatMap(({ inputs, imports }) => [
      ...imports.map(({ path }) => path),
      ...Object.keys(inputs).filter((path) => (inputs[path]?.bytesInOutput ?? 0) > 0),
    ]);
    expect(used.filter((path) => /^node:|^events$|undici|opossum/.test(path))).toEqual([]);
    expect(used.some((path) => path.includes("eventemitter3"))).toBe(true);
  });

  test("and needs nothing newer than the browsers it is for", () => {
    for (const name of ["fairlead/dist/browser.js", "@fairlead/core/dist/index.js", "@fairlead/fetch/dist/index.js"]) {
      const text = readFileSync(`${scratch}node_modules/${name}`, "utf8");
      expect(text).not.toMatch(/\bstatic \{|\busing [a-z]|canParse|withResolvers|fromAsync|toSorted|AbortSignal\.any/);
    }
  });
});
