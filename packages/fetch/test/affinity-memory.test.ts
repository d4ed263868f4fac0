// Sessions cost memory here only as far as cookies are remembered.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const CHILD = fileURLToPath(new URL("sessions/heap.ts", import.meta.url));

/** Bytes by which the heap of a process of its own grows, with that many sessions. */
async function growth(sessions: number, cacheSize: number): Promise<number> {
  const flags = ["--expose-gc", "--conditions=@fairlead/source", CHILD, String(sessions), String(cacheSize)];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 60_000 });
  return (JSON.parse(stdout) as { grown: number }).grown;
}

test("ten thousand sessions, each in eight kilobytes of cookies, leave nothing but what is remembered", async () => {
  // A place for each would be 2 MB and more.
  expect(await growth(10_000, 100)).toBeLessThan(1_000_000);
  // Some 450 bytes for each that is remembered; with its header it would be 8,500.
  expect(await growth(5_000, 5_000)).toBeLessThan(5_000_000);
}, 120_000);
