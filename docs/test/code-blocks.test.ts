// Every code block of the documentation compiles and runs as it stands.
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Backends, startBackends } from "./backends.ts";
import { type CodeBlock, extractCodeBlocks, readCodeBlocks } from "./code-blocks.ts";
import { missingScripts } from "./scripts.ts";

const RUN_LIMIT_MS = 20_000;
const COMPILE_LIMIT_MS = 60_000;

/** Inside docs/, so that the blocks resolve packages as a file of this project would. */
const folder = fileURLToPath(new URL("../.code-blocks/", import.meta.url));
const typescript = createRequire(import.meta.url).resolve("typescript/package.json");

const blocks = readCodeBlocks();
const programs = blocks.filter((block) => block.language !== "sh");
let backends: Backends;
let compilerErrors: string[];

beforeAll(async () => {
  backends = await startBackends();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const block of programs) writeFileSync(`${folder}${fileOf(block)}`, backends.rewrite(block.code));
  writeFileSync(`${folder}tsconfig.json`, JSON.stringify(compilerConfig));
  const tsc = await runNode([typescript.replace(/package\.json$/, "bin/tsc"), "--pretty", "false", "-p", folder]);
  compilerErrors = tsc.code === 0 ? [] : tsc.output.split("\n").filter((line) => line.trim() !== "");
}, COMPILE_LIMIT_MS);

afterAll(() => {
  backends.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The project's own rules, without those that are about exports and leftovers. */
const compilerConfig = {
  extends: "../../tsconfig.base.json",
  compilerOptions: {
    types: ["node"],
    skipLibCheck: true,
    isolatedDeclarations: false,
    declaration: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
  },
  include: ["*.ts"],
};

describe("code blocks", () => {
  for (const block of programs.filter((candidate) => candidate.language === "ts")) {
    test(`${titleOf(block)} compiles`, () => {
      expect(compilerErrors.filter((line) => line.includes(fileOf(block)))).toEqual([]);
    });
  }

  test("nothing else stops them from compiling", () => {
    expect(compilerErrors.filter((line) => !programs.some((block) => line.includes(fileOf(block))))).toEqual([]);
  });

  for (const block of programs.filter((candidate) => candidate.runs)) {
    test(`${titleOf(block)} runs`, { timeout: RUN_LIMIT_MS + 5_000 }, async () => {
      const { code, output } = await runNode(["--conditions=@fairlead/source", `${folder}${fileOf(block)}`]);
      expect(code, output).toBe(0);
    });
  }

  for (const block of blocks.filter((candidate) => candidate.language === "sh")) {
    test(`${titleOf(block)} names scripts that exist`, () => {
      expect(missingScripts(block.code)).toEqual([]);
    });
  }
});

describe("the extraction", () => {
  test("reads language, line, marks and indented code", () => {
    const markdown = "# Title\n\n```ts no-run\na();\n```\n\n1. item\n\n   ```sh\n   pnpm test\n   ```\n";
    expect(extractCodeBlocks("x.md", markdown)).toEqual([
      { file: "x.md", line: 3, language: "ts", runs: false, code: "a();\n" },
      { file: "x.md", line: 9, language: "sh", runs: true, code: "pnpm test\n" },
    ]);
  });

  test("leaves other languages alone", () => {
    expect(extractCodeBlocks("x.md", "```json\n{}\n```\n\n```text\nx\n```\n")).toEqual([]);
  });

  test("finds scripts that do not exist", () => {
    expect(missingScripts("pnpm test\nnpx -y pnpm@12 nonesuch\npnpm --filter demo start\nls\n")).toEqual([
      "workspace: nonesuch",
    ]);
  });
});

function titleOf(block: CodeBlock): string {
  return `${block.file}:${block.line}`;
}

function fileOf(block: CodeBlock): string {
  return `${block.file.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${block.line}.${block.language}`;
}

/** Runs this Node and waits for its end; a run past the limit is ended and has no exit code. */
function runNode(args: readonly string[]): Promise<{ code: number | string | null; output: string }> {
  return new Promise((resolve) => {
    const options = { cwd: folder, timeout: RUN_LIMIT_MS, env: { ...process.env, NODE_OPTIONS: "" } };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? null), output: stdout + stderr });
    });
  });
}
