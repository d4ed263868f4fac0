import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { type SimulationResult, scenarios } from "../src/index.ts";

const LIMIT_MS = 60_000;
const command = fileURLToPath(new URL("../bin/simulate.ts", import.meta.url));

function run(...args: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const all = ["--no-warnings", "--conditions=@fairlead/source", command, ...args];
    execFile(process.execPath, all, { timeout: LIMIT_MS, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

it(
  "shows a table of the scenarios named, and nothing else where nobody watches",
  async () => {
    const { code, stdout, stderr } = await run("weights-90-10", "--seeds", "1", "--policy", "defaults,roundRobin");
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ["scenario", "policy"],
      ["weights-90-10", "defaults (pick)"],
      ["weights-90-10", "roundRobin (pick)"],
    ]);
    expect(lines[2]).toMatch(/large 90\.0, small 10\.0$/);
  },
  LIMIT_MS,
);

it(
  "prints JSON on request, for both modes",
  async () => {
    const { stdout } = await run("weights-90-10", "--seeds=1", "--mode=both", "--json");
    const results = JSON.parse(stdout) as SimulationResult[];
    expect(results.map(({ scenario, policy, mode, seeds }) => [scenario, policy, mode, seeds])).toEqual([
      ["weights-90-10", "defaults", "pick", [1]],
      ["weights-90-10", "defaults", "call", [1]],
    ]);
  },
  LIMIT_MS,
);

it(
  "explains itself, and refuses what it does not know with exit code 2",
  async () => {
    const help = await run("--help");
    expect(help.code).toBe(0);
    for (const { name } of scenarios) expect(help.stdout).toContain(`\n  ${name} `);
    const wrong: [string, string][] = [
      ["no-such", "There is no scenario no-such."],
      ["--seeds=0", "--seeds is a whole number from 1 to 1000."],
      ["--mode=dance", "--mode is one of pick, call, both, not dance."],
      ["--policy=luck", "There is no policy luck."],
      ["--colour", "Unknown option '--colour'"],
    ];
    for (const [argument, message] of wrong) {
      const { code, stdout, stderr } = await run(argument);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain(message);
      expect(stderr).toContain("Usage: pnpm simulate");
    }
  },
  LIMIT_MS,
);
