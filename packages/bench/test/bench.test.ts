import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { measure } from "../src/measure/rounds.ts";
import { paired, quantile, spread } from "../src/measure/statistics.ts";
import { type Limit, verdict } from "../src/measure/target.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

function bench(...args: string[]): { readonly code: number | null; readonly output: string; readonly error: string } {
  const options = ["--expose-gc", "--conditions=@fairlead/source", main, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, options, {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  return { code: status, output: stdout, error: stderr };
}

describe("statistics", () => {
  it("interpolate between the nearest measurements", () => {
    expect(quantile([40, 10, 30, 20], 0.5)).toBe(25);
    expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2);
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(quantile([7], 0.75)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it("name the middle and the quartiles", () => {
    expect(spread([5, 1, 4, 2, 3])).toEqual({ low: 2, median: 3, high: 4 });
  });

  it("compare what was measured in the same round", () => {
    expect(paired([10, 40, 90], [10, 20, 30], (value, base) => value / base)).toEqual({
      low: 1.5,
      median: 2,
      high: 2.5,
    });
  });
});

describe("a verdict", () => {
  const atMost: Limit = { bound: "at most", value: 60, unit: "ns" };
  const atLeast: Limit = { bound: "at least", value: 0.95, unit: "×" };

  it("is given only where the quartiles agree", () => {
    expect(verdict(atMost, { low: 50, median: 55, high: 60 })).toBe("met");
    expect(verdict(atMost, { low: 50, median: 55, high: 61 })).toBe("not resolved");
    expect(verdict(atMost, { low: 61, median: 65, high: 70 })).toBe("missed");
    expect(verdict(atLeast, { low: 0.95, median: 1, high: 1.1 })).toBe("met");
    expect(verdict(atLeast, { low: 0.9, median: 1, high: 1.1 })).toBe("not resolved");
    expect(verdict(atLeast, { low: 0.8, median: 0.9, high: 0.94 })).toBe("missed");
  });
});

describe("rounds", () => {
  it("give every variant its turn, each time in another order", async () => {
    const order: string[] = [];
    const values = await measure(["a", "b", "c"], 3, (name) => Promise.resolve(order.push(name)));
    expect(order.join("")).toBe("abccbabca");
    expect(values).toEqual({ a: [1, 6, 9], b: [2, 5, 7], c: [3, 4, 8] });
  });
});

describe("a quick run", { timeout: 120_000 }, () => {
  it.each([
    ["pick", ["## One pick", "| peakEwma ", "| rendezvous ", "| G1 ", "| G2 "]],
    ["keys", ["## From a key to its backend", "| maglev, murmur3 ", "| keys "]],
    ["membership", ["## A new set of 10,000 backends", "| maglev ", "| G14 "]],
    ["flapping", ["## Flapping breakers", "| ringHash ", "| flapping "]],
    ["idle", ["## Idle backends", "| first ", "| G15 ", "| checks "]],
    ["core", ["## The core over a stub transport", "| call, everything on, ", "| call, rejected, ", "| G3 "]],
    ["http", ["## HTTP against bare undici", "over cockatiel", "| G4 ", "| G5 ", "| G6 ", "| G7 "]],
    [
      "forward",
      ["## Forwarding", "### A long upload", "| forward, forwardTransport ", "| forward ", "growth of memory"],
    ],
  ])("of section %s comes to its end", (section, texts) => {
    const { code, output, error } = bench(section, "--quick");
    expect(error).toBe("");
    expect(code).toBe(0);
    for (const text of texts) expect(output).toContain(text);
  });

  it("is not written down", () => {
    expect(bench("--quick", "--write")).toMatchObject({ code: 2, error: expect.stringContaining("complete run") });
  });

  it("names a section that does not exist", () => {
    expect(bench("picks")).toMatchObject({ code: 2, error: expect.stringContaining("no section picks") });
  });
});
