// Real processes on the real clock: one that forgets to close ends by itself, one that still waits does not end early.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

interface Ended {
  readonly code: number | null;
  readonly output: string[];
  readonly errors: string;
}

/** Runs a script of support/scripts with the Node that runs the tests; kills it and rejects after `deadlineMs`. */
function run(script: string, deadlineMs: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const path = fileURLToPath(new URL(`./support/scripts/${script}`, import.meta.url));
    const child = spawn(process.execPath, ["--conditions=@fairlead/source", path], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${script} did not end within ${deadlineMs} ms; it wrote ${output}${errors}`));
    }, deadlineMs);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, output: output.split("\n").filter((line) => line !== ""), errors });
    });
  });
}

// Each takes 0.2 to 2 s here: the deadline is ten times as much.
describe("a process", { timeout: 25_000 }, () => {
  test("that forgets to close ends once its calls are done", async () => {
    const ended = await run("forgets-close.ts", 5_000);
    expect(ended).toEqual({ code: 0, output: ['{"served":100}'], errors: "" });
  });

  test("that forgets to close ends though its discovery is waiting for its restart", async () => {
    const ended = await run("forgets-close-with-discovery.ts", 5_000);
    expect(ended).toEqual({ code: 0, output: ['{"served":"a.test:80"}'], errors: "" });
  });

  test("that forgets to close ends though its backends are being checked", async () => {
    const ended = await run("forgets-close-with-checks.ts", 5_000);
    expect(ended).toEqual({ code: 0, output: ['{"checked":true}'], errors: "" });
  });

  test("is not ended early while a call is in its back-off or in the queue", async () => {
    const ended = await run("waits-in-back-off.ts", 10_000);
    expect(ended).toEqual({ code: 0, output: ['{"attempts":3}', '{"waited":true}'], errors: "" });
  });

  test("is not ended early while only a timeout, and then a close, is left to wait for", async () => {
    const ended = await run("timeout-only.ts", 20_000);
    expect(ended).toEqual({ code: 0, output: ['{"error":"FAIRLEAD_ERR_TIMEOUT"}', '{"closed":true}'], errors: "" });
  });
});
