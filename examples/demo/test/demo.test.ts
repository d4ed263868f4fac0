import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

const started: ChildProcess[] = [];

afterEach(() => {
  for (const process of started.splice(0)) process.kill("SIGKILL");
});

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

interface Running {
  readonly process: ChildProcess;
  /** Resolves when this process and all that share its output have ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
  readonly said: (text: string) => Promise<void>;
}

function start(...args: string[]): Running {
  const child = spawn(process.execPath, ["--conditions=@fairlead/source", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "" },
  });
  started.push(child);
  let output = "";
  const append = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", append);
  child.stderr.on("data", append);
  const ended = once(child, "close").then(([code]: unknown[]) => ({ code: code as number | null, output }));
  const said = async (text: string): Promise<void> => {
    while (!output.includes(text)) await once(child.stdout, "data");
  };
  return { process: child, ended, said };
}

describe("the demo", { timeout: 40_000 }, () => {
  it("loses no call through fairlead, and says what it saw", async () => {
    const { code, output } = await start("--seconds", "6", "--rate", "60").ended;
    expect(output).toMatch(/backend 1 is killed \(SIGKILL\)\n/);
    expect(output).toMatch(/^calls +360 +360$/m);
    expect(output).toMatch(/^failed +0 +[1-9]\d*$/m);
    expect(output).toMatch(/^p99\.9 +[\d.]+ ms +[\d.]+ ms$/m);
    expect(output.match(/^ {2}calls disturbed for/gm)).toHaveLength(3);
    expect(output).toContain("fairlead lost no call.");
    expect(output).not.toContain("\x1b");
    expect(code).toBe(0);
  });

  it("ends with all its processes on Ctrl-C", async () => {
    const demo = start("--seconds", "60");
    await demo.said("share in %");
    demo.process.kill("SIGINT");
    expect((await demo.ended).code).toBe(130);
  });

  it("leaves no process behind when it is killed", async () => {
    const demo = start("--seconds", "60");
    await demo.said("share in %");
    demo.process.kill("SIGKILL");
    expect((await demo.ended).code).toBeNull();
  });

  it("explains itself", async () => {
    const { code, output } = await start("--help").ended;
    expect(output).toMatch(/^Usage: pnpm demo/);
    expect(code).toBe(0);
  });

  it("names every problem of its arguments", async () => {
    const { code, output } = await start("--seconds", "3", "--rate", "fast").ended;
    expect(output).toContain('--seconds must be a whole number from 4 to 600, not "3".');
    expect(output).toContain('--rate must be a whole number from 10 to 1000, not "fast".');
    expect(code).toBe(2);
    expect((await start("--second", "5").ended).output).toContain("Unknown option '--second'");
  });
});
