import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { repeat } from "../../../test/fakes.ts";
import { parseLoadReport } from "./load-report.ts";

const ALL = {
  applicationUtilization: 0.7,
  cpuUtilization: 0.3,
  requestsPerSecond: 80.5,
  errorsPerSecond: 2,
  namedUtilization: { queue: 0.9, kv: 0.4 },
};

describe("a load report", () => {
  it.each([
    [
      "TEXT",
      "TEXT application_utilization=0.7, cpu_utilization=0.3, rps_fractional=80.5, eps=2, named_metrics.queue=0.9, utilization.kv=0.4, mem_utilization=0.5",
    ],
    [
      "TEXT with colons, as Envoy reads it",
      "TEXT application_utilization:0.7,cpu_utilization:0.3,rps_fractional:80.5,eps:2,named_metrics.queue:0.9,utilization.kv:0.4",
    ],
    [
      "text without a word before it",
      "cpu_utilization=0.3,application_utilization=0.7,qps=80.5,eps=2,utilization.queue=0.9,utilization.kv=0.4,",
    ],
    [
      "JSON with the names of the fields",
      'JSON {"application_utilization":0.7,"cpu_utilization":0.3,"rps_fractional":80.5,"eps":2,"mem_utilization":0.5,"named_metrics":{"queue":0.9},"utilization":{"kv":0.4}}',
    ],
    [
      "JSON as protobuf writes it",
      'JSON {"applicationUtilization":0.7,"cpuUtilization":0.3,"rpsFractional":80.5,"eps":"2","namedMetrics":{"queue":0.9},"utilization":{"kv":0.4},"requestCost":{"a":-1}}',
    ],
  ])("is read from %s", (_, text) => {
    expect(parseLoadReport(text)).toEqual(ALL);
  });

  it.each([
    // vLLM, `orca_metrics.py`.
    ["TEXT named_metrics.kv_cache_utilization=0.4", { namedUtilization: { kv_cache_utilization: 0.4 } }],
    ["TEXT cpu_utilization=0", { cpuUtilization: 0 }],
    ["cpu_utilization=1.7", { cpuUtilization: 1.7 }],
    ["TEXT named_metrics.a.b=1", { namedUtilization: { "a.b": 1 } }],
  ])("of %s is %j", (text, expected) => {
    expect(parseLoadReport(text)).toEqual(expected);
  });

  it.each([
    ["nothing", ""],
    ["only the word", "TEXT "],
    ["only what we don't know", "TEXT mem_utilization=0.5,request_cost.a=1"],
    ["no number", "TEXT cpu_utilization=much"],
    ["an empty value", "TEXT cpu_utilization="],
    ["NaN", "TEXT cpu_utilization=NaN"],
    ["infinity", "TEXT cpu_utilization=Infinity"],
    ["a number too large", "TEXT cpu_utilization=1e999"],
    ["a negative one beside good ones", "TEXT cpu_utilization=0.5,eps=-1"],
    ["a named one that is negative", "TEXT cpu_utilization=0.5,utilization.a=-1"],
    ["no pairs", "TEXT hello"],
    ["binary", "BIN CZqZmZmZmeM/"],
    ["JSON that is none", "JSON {"],
    ["JSON of no object", "JSON 5"],
    ["JSON with a wrong type", 'JSON {"cpuUtilization":true}'],
    ["JSON with an infinite number", 'JSON {"cpuUtilization":"Infinity"}'],
  ])("is refused: %s", (_, text) => {
    expect(parseLoadReport(text)).toBeUndefined();
  });

  it("is refused beyond 8,192 characters, at once, whatever it says", () => {
    const text = `TEXT cpu_utilization=0.5${" ".repeat(8_192 - 24)}`;
    expect(parseLoadReport(text)).toEqual({ cpuUtilization: 0.5 });
    expect(parseLoadReport(`${text} `)).toBeUndefined();
    expect(parseLoadReport("TEXT cpu_utilization=0.5,".repeat(40_000))).toBeUndefined();
    expect(parseLoadReport("\u0000=".repeat(500_000))).toBeUndefined();
  });

  it("keeps at most 64 named values, and what came besides", () => {
    const text = `TEXT ${repeat(100, (index) => `utilization.m${index}=1`).join(",")},cpu_utilization=0.5`;
    const report = parseLoadReport(text);
    expect(Object.keys(report?.namedUtilization ?? {})).toEqual(repeat(64, (index) => `m${index}`));
    expect(report?.cpuUtilization).toBe(0.5);
  });

  it.each([
    "TEXT utilization.__proto__=1,utilization.constructor=1",
    'JSON {"utilization":{"__proto__":1,"constructor":1},"__proto__":{"cpu_utilization":1}}',
  ])("makes plain entries of dangerous names: %s", (text) => {
    const named = parseLoadReport(text)?.namedUtilization ?? {};
    expect(Object.getPrototypeOf(named)).toBe(Object.prototype);
    expect(Object.keys(named).sort()).toEqual(["__proto__", "constructor"]);
    expect(({} as Record<string, unknown>)["cpu_utilization"]).toBeUndefined();
  });

  it("is undefined or holds nothing but finite numbers from 0 on, for any text", () => {
    const word = fc.constantFrom(
      "TEXT ",
      "JSON ",
      "BIN ",
      "{",
      "}",
      '"',
      ":",
      "=",
      ",",
      "cpu_utilization",
      "utilization.",
      "eps",
      "1e9",
      "-1",
      "NaN",
    );
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.array(word, { maxLength: 20 }).map((words) => words.join("")),
    );
    const json = fc.json({ maxDepth: 3 }).map((value) => `JSON ${value}`);
    fc.assert(
      fc.property(fc.oneof(text, json), (given) => {
        const { namedUtilization = {}, ...fields } = parseLoadReport(given) ?? {};
        for (const value of [...Object.values(fields), ...Object.values(namedUtilization)])
          expect(typeof value === "number" && value >= 0 && Number.isFinite(value)).toBe(true);
      }),
      { seed: 1, numRuns: 2_000 },
    );
  });
});
