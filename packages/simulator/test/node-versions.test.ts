import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { SimulationResult } from "../src/index.ts";

const LIMIT_MS = 60_000;
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const nodes = [
  here("../../fetch/test/node-versions/node_modules/node22/bin/node"),
  here("../../../node_modules/node/bin/node"),
  here("../../fetch/test/node-versions/node_modules/node26/bin/node"),
];

async function output(node: string): Promise<string> {
  const script = fileURLToPath(new URL("./run-small.ts", import.meta.url));
  const args = ["--no-warnings", "--conditions=@fairlead/source", script];
  return (await promisify(execFile)(node, args, { timeout: LIMIT_MS, maxBuffer: 2 ** 26 })).stdout;
}

it(
  "the same seed gives the same bytes on Node 22, 24 and 26, in both modes",
  async () => {
    const [oldest, ...others] = await Promise.all(nodes.map(output));
    for (const other of others) expect(other).toBe(oldest);
    const results = JSON.parse(oldest ?? "[]") as SimulationResult[];
    expect(results.map(({ mode, calls }) => [mode, calls > 10_000])).toEqual([
      ["pick", true],
      ["call", true],
    ]);
  },
  LIMIT_MS,
);
