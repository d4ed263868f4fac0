import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const workspace: string = fileURLToPath(new URL("../../", import.meta.url));

export interface CodeBlock {
  /** The Markdown file, relative to the workspace, and the line of the block's fence. */
  readonly file: string;
  readonly line: number;
  readonly language: "ts" | "js" | "sh";
  /** "no-run": compiled, but not run. */
  readonly runs: boolean;
  readonly code: string;
}

const FENCE = /^(?<indent> *)```(?<language>ts|js|sh)(?<info>(?:[ \t][^\n`]*)?)\n(?<code>[\s\S]*?)^ *```$/gm;

/** Every `ts`, `js` and `sh` block of the README, the packages' READMEs and the documentation. */
export function readCodeBlocks(): CodeBlock[] {
  return globSync(["README.md", "CONTRIBUTING.md", "packages/*/README.md", "docs/**/*.md"], {
    cwd: workspace,
    exclude: (path) => path.includes("node_modules"),
  })
    .toSorted()
    .flatMap((file) => extractCodeBlocks(file, readFileSync(`${workspace}${file}`, "utf8")));
}

export function extractCodeBlocks(file: string, markdown: string): CodeBlock[] {
  return [...markdown.replaceAll("\r\n", "\n").matchAll(FENCE)].map((match) => {
    const { indent = "", language, info = "", code = "" } = match.groups ?? {};
    return {
      file,
      line: markdown.slice(0, match.index).split("\n").length,
      language: language as CodeBlock["language"],
      runs: !info.split(/\s+/).includes("no-run"),
      code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    };
  });
}
