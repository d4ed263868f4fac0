import { describe, expect, it } from "vitest";
import { figuresOf } from "../src/figures.ts";
import type { CallRecord } from "../src/load/calls.ts";
import { parseOptions } from "../src/options.ts";
import { tableMarkdown } from "../src/report/markdown.ts";
import { withSection } from "../src/report/section.ts";
import { faultTable, lossesMarkdown } from "../src/report/tables.ts";
import type { Observation } from "../src/run-scenario.ts";
import { scenarios } from "../src/scenarios.ts";

const FAULT_MS = 1_000;
const REPAIR_MS = 5_000;

function call(dueMs: number, ms: number, own: Partial<CallRecord> = {}): CallRecord {
  return { path: `/${dueMs}`, dueMs, endMs: dueMs + ms, backend: 1, lost: false, what: "200", ...own };
}

/** Calls and uses of the first of three backends, which is killed from 1 s to 5 s. */
function seen(own: Partial<Observation>): Observation {
  const [scenario] = scenarios;
  if (scenario === undefined) throw new Error("there is no scenario");
  const calls = [call(0, 20)];
  return {
    scenario,
    size: 3,
    calls,
    sent: new Map(),
    uses: [],
    ejections: [],
    faultMs: FAULT_MS,
    repairMs: REPAIR_MS,
    held: 0,
    ...own,
  };
}

describe("figures", () => {
  it("count calls, losses with their reasons, and requests beyond the first of each call", () => {
    const lost = { lost: true, backend: undefined, what: "ECONNREFUSED" };
    const calls = [call(0, 5), call(1, 5, lost), call(2, 5, { lost: true, what: "503" }), call(3, 5, lost)];
    const sent = new Map([
      ["/0", 1],
      ["/2", 3],
      ["/3", 2],
    ]);
    expect(figuresOf(seen({ calls, sent }))).toMatchObject({
      calls: 4,
      lost: 3,
      avoidable: 3,
      extra: 3,
      reasons: { ECONNREFUSED: 2, 503: 1 },
    });
  });

  it("excuse what is lost while nobody is there, and nothing after", () => {
    const calls = [900, 2_000, 4_999, 5_000].map((dueMs) => call(dueMs, 200, { lost: true }));
    expect(figuresOf(seen({ calls, uses: undefined }))).toMatchObject({ lost: 4, avoidable: 1, stopMs: undefined });
  });

  it("say how long calls took while the fault lasted", () => {
    const during = Array.from({ length: 100 }, (_, index) => call(FAULT_MS + index, index + 1));
    const calls = [call(0, 9_000), ...during, call(REPAIR_MS, 8_000)];
    expect(figuresOf(seen({ calls }))).toMatchObject({ p99Ms: 99, maxMs: 100 });
  });

  it("say when the backend was left alone: by its ejection, or by its last use before a second without", () => {
    expect(figuresOf(seen({ uses: [900, 1_050, 1_100, 2_100, 5_100] })).stopMs).toBe(100);
    expect(figuresOf(seen({ uses: [1_050, 1_900, 2_700, 3_600], ejections: [1_800] })).stopMs).toBe(800);
    expect(figuresOf(seen({ uses: [900] })).stopMs).toBe(0);
    const always = Array.from({ length: 41 }, (_, index) => FAULT_MS + index * 100);
    expect(figuresOf(seen({ uses: always })).stopMs).toBeUndefined();
  });

  it("say when it served again: by a call that was due after the repair", () => {
    const calls = [call(4_990, 50, { backend: 0 }), call(5_100, 30), call(6_000, 25, { backend: 0 })];
    expect(figuresOf(seen({ calls })).againMs).toBe(1_025);
    expect(figuresOf(seen({})).againMs).toBeUndefined();
  });
});

describe("the report", () => {
  const figures = figuresOf(
    seen({ calls: [call(2_000, 5, { lost: true, what: "ECONNREFUSED" }), call(0, 5)], uses: undefined }),
  );
  const rows = [{ scenario: "all down", figures }];

  it("shows what could not be helped beside what could", () => {
    expect(tableMarkdown(faultTable(3, rows))).toMatch(/^\| all down +\| +2 \| +1 \(0\) \|/m);
    expect(lossesMarkdown(3, rows)).toBe("- all down, 3 backends: 1 × `ECONNREFUSED`");
  });

  it("goes between its markers, and nowhere else", () => {
    const page = "a\n<!-- faults: begin -->\nold\n<!-- faults: end -->\nb\n";
    expect(withSection(page, "new")).toBe("a\n<!-- faults: begin -->\n\nnew\n\n<!-- faults: end -->\nb\n");
    expect(() => withSection("a", "new")).toThrow(/must have one/);
    expect(() => withSection(page + page, "new")).toThrow(/must have one/);
  });
});

describe("the arguments", () => {
  const names = scenarios.map(({ name }) => name);

  it("choose scenarios by part of their name, and are complete where they write", () => {
    expect(parseOptions(["SIGKILL"], names)).toEqual({ names: ["SIGKILL"], write: false });
    expect(parseOptions(["--write"], names)).toEqual({ names: [], write: true });
    expect(parseOptions(["SIGKILL", "--write"], names)).toEqual({ problem: "Only a complete run may be written." });
    expect(parseOptions(["SIGHUP"], names)).toEqual({ problem: "There is no scenario SIGHUP." });
    expect(parseOptions(["--wrote"], names)).toMatchObject({ problem: expect.stringContaining("--wrote") });
    expect(parseOptions(["--help"], names)).toBe("help");
  });
});
