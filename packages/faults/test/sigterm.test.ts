// A real signal to a real process that has calls under way.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { Condition } from "../src/backends/conditions.ts";
import { Fleet } from "../src/backends/fleet.ts";
import { killChildren } from "../src/children.ts";

afterAll(killChildren);

const SCRIPT = fileURLToPath(new URL("support/terminated.ts", import.meta.url));
/** Ten times what it takes here. */
const LIMIT_MS = 10_000;

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs the script, sends SIGTERM as soon as it is under load, and waits for its end. */
function terminate(urls: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--conditions=@fairlead/source", SCRIPT, ...urls], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`it did not end within ${LIMIT_MS} ms; it wrote ${output}${errors}`));
    }, LIMIT_MS);
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      if (chunk.includes("ready")) child.kill("SIGTERM");
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(late);
      resolve({ code, signal, output, errors });
    });
  });
}

describe("a process under load that gets SIGTERM, stops its intake and awaits close()", { timeout: 15_000 }, () => {
  it.each<Condition>(["well", "answering 503", "hanging up"])(
    "loses no call while one of three backends is %s, and ends by itself with nothing left",
    async (condition) => {
      const fleet = await Fleet.start(3);
      await fleet.put("one", condition);
      const { output, ...ended } = await terminate(fleet.urls);
      expect(ended).toEqual({ code: 0, signal: null, errors: "" });
      const { made, served, inFlight, errors, left } = JSON.parse(output.split("\n")[1] ?? "{}");
      expect({ errors, left }).toEqual({ errors: [], left: [] });
      expect(made).toBeGreaterThanOrEqual(50);
      expect(served).toBe(made);
      // The signal came in the middle of it.
      expect(inFlight).toBeGreaterThan(0);
      await fleet.end();
    },
  );
});
