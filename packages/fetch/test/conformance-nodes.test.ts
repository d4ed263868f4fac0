// The comparison of conformance.test.ts in the other Nodes, by some of its cases.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const child = fileURLToPath(new URL("./conformance/child.ts", import.meta.url));
const LIMIT_MS = 60_000;
/** Every fifth; 1 runs them all. */
const EVERY = "5";

test.concurrent.each(["22", "26"])(
  "Node %s: a balanced fetch is seen as a bare one",
  async (version) => {
    const node = here(`./node-versions/node_modules/node${version}/bin/node`);
    const args = ["--no-warnings", "--conditions=@fairlead/source", child, EVERY];
    const { stdout } = await promisify(execFile)(node, args, { timeout: LIMIT_MS, maxBuffer: 10_000_000 });
    const { compared, differences } = JSON.parse(stdout) as { compared: number; differences: unknown[] };
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(120);
  },
  LIMIT_MS,
);
