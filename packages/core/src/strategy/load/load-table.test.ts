import { describe, expect, it } from "vitest";
import { createRandom } from "../../random.ts";
import { LoadTable } from "./load-table.ts";

const TAU_MS = 10_000;

/** One row of a table, and how to add others. */
class Ewma {
  readonly table: LoadTable;
  readonly row: number;

  constructor(nowMs = 0, table = new LoadTable(TAU_MS, nowMs)) {
    this.table = table;
    this.row = table.addRow();
  }

  get scaled(): number {
    return this.table.latency[this.row] ?? Number.NaN;
  }

  observe(ms: number, nowMs: number): void {
    this.table.observe(this.row, ms, nowMs);
  }

  read(nowMs: number): number {
    return this.table.read(this.row, nowMs);
  }
}

describe("a peak EWMA without history", () => {
  it("is 0, at any time", () => {
    const ewma = new Ewma();
    expect([ewma.read(0), ewma.read(1e6), ewma.scaled]).toEqual([0, 0, 0]);
  });

  it("takes the first sample whole", () => {
    const ewma = new Ewma(5_000);
    ewma.observe(42, 6_000);
    expect(ewma.read(6_000)).toBeCloseTo(42, 9);
  });
});

describe("a peak EWMA with history", () => {
  it("fades: 100 ms, idle for 10 s at τ 10 s, is 36.788 ms", () => {
    const ewma = new Ewma();
    ewma.observe(100, 0);
    expect(ewma.read(10_000)).toBeCloseTo(36.788, 3);
  });

  it("mixes a better sample in: 20 ms, 1 s later, makes 35.190 ms", () => {
    const ewma = new Ewma();
    ewma.observe(100, 0);
    // In Finagle reading is a sample of 0: after 10 s it leaves 36.788 as of that moment.
    ewma.observe(0, 10_000);
    ewma.observe(20, 11_000);
    expect(ewma.read(11_000)).toBeCloseTo(35.19, 3);
  });

  it("jumps to a worse sample at once", () => {
    const ewma = new Ewma();
    ewma.observe(10, 0);
    ewma.observe(500, 1);
    expect(ewma.read(1)).toBeCloseTo(500, 9);
  });

  it("is not moved by a worse one of several samples in the same moment but up", () => {
    const ewma = new Ewma();
    for (const ms of [10, 30, 20]) ewma.observe(ms, 100);
    expect(ewma.read(100)).toBeCloseTo(30, 9);
  });

  it("is not changed by reading", () => {
    const ewma = new Ewma();
    ewma.observe(100, 0);
    const before = ewma.scaled;
    ewma.read(1_000);
    ewma.read(2_000);
    expect(ewma.scaled).toBe(before);
  });

  it("has none after it forgot", () => {
    const ewma = new Ewma();
    ewma.observe(100, 0);
    ewma.table.forget(ewma.row);
    expect(ewma.read(1)).toBe(0);
    ewma.observe(7, 2);
    expect(ewma.read(2)).toBeCloseTo(7, 9);
  });
});

describe("a latency of which only a lower bound is known", () => {
  it("counts where it is more than what is known, and also without history", () => {
    const ewma = new Ewma();
    ewma.table.observeAtLeast(ewma.row, 500, 0);
    expect(ewma.read(0)).toBeCloseTo(500, 9);
    ewma.table.observeAtLeast(ewma.row, 900, 0);
    expect(ewma.read(0)).toBeCloseTo(900, 9);
  });

  it("changes nothing where it is less: not the value, and not how fast that fades", () => {
    const [told, untold] = [new Ewma(), new Ewma()];
    for (const ewma of [told, untold]) ewma.observe(100, 0);
    told.table.observeAtLeast(told.row, 5, 1_000);
    expect(told.read(1_000)).toBeCloseTo(untold.read(1_000), 9);
    for (const ewma of [told, untold]) ewma.observe(20, 2_000);
    expect(told.read(2_000)).toBeCloseTo(untold.read(2_000), 9);
  });

  it("of 0 ms leaves a row without history without one", () => {
    const ewma = new Ewma();
    ewma.table.observeAtLeast(ewma.row, 0, 1_000);
    expect(ewma.scaled).toBe(0);
  });
});

describe("the scaled values of one scale", () => {
  it("stand in the same proportions as the values themselves", () => {
    const a = new Ewma();
    const b = new Ewma(0, a.table);
    a.observe(100, 0);
    b.observe(20, 7_000);
    expect(a.scaled / b.scaled).toBeCloseTo(a.read(9_000) / b.read(9_000), 9);
  });

  it("go on when the exponent has become too large: no reading differs from the plain formula over an hour", () => {
    const ewma = new Ewma(1_000);
    const other = new Ewma(0, ewma.table);
    const random = createRandom(3);
    let plain = 0;
    let stampMs = Number.NEGATIVE_INFINITY;
    for (let nowMs = 1_000; nowMs < 3_600_000 * 4; nowMs += 1 + random.next() * 60_000) {
      const kept = Math.exp(-(nowMs - stampMs) / TAU_MS);
      const ms = random.next() * 100;
      plain = Math.max(ms, plain * kept + ms * (1 - kept));
      stampMs = nowMs;
      ewma.observe(ms, nowMs);
      other.observe(1, nowMs);
      expect(ewma.read(nowMs + 500) / (plain * Math.exp(-500 / TAU_MS))).toBeCloseTo(1, 6);
      expect(Number.isFinite(ewma.scaled)).toBe(true);
    }
  });

  it("keep their order across a rescaling that another member caused", () => {
    const idle = new Ewma();
    const busy = new Ewma(0, idle.table);
    idle.observe(100, 4_990_000);
    busy.observe(50, 5_000_001);
    expect(idle.read(5_000_001)).toBeCloseTo(100 * Math.exp(-10_001 / TAU_MS), 6);
    expect(idle.scaled < busy.scaled).toBe(idle.read(5_000_001) < busy.read(5_000_001));
  });

  it("are not changed by those of others", () => {
    const a = new Ewma();
    const b = new Ewma(0, a.table);
    a.observe(100, 0);
    const before = a.scaled;
    b.observe(1, 500);
    expect(a.scaled).toBe(before);
  });
});

describe("the rows of a table", () => {
  it("begin without history and without load, also where another backend was before", () => {
    const table = new LoadTable(TAU_MS, 0);
    const row = table.addRow();
    table.observe(row, 100, 0);
    table.count(row, "request", 1);
    table.count(row, "connection", 1);
    table.gated[row] = 1;
    table.freeRow(row);
    const next = table.addRow();
    expect(next).toBe(row);
    expect([table.read(next, 1), table.requests[next], table.connections[next], table.gated[next]]).toEqual([
      0, 0, 0, 0,
    ]);
    table.observe(next, 7, 2);
    expect(table.read(next, 2)).toBeCloseTo(7, 9);
  });

  it("count kinds apart", () => {
    const table = new LoadTable(TAU_MS, 0);
    const row = table.addRow();
    for (const change of [1, 1, -1] as const) table.count(row, "request", change);
    for (const change of [1, 1, 1] as const) table.count(row, "connection", change);
    expect([table.requests[row], table.connections[row]]).toEqual([1, 3]);
  });

  it("keep everything when the table grows, however often", () => {
    const table = new LoadTable(TAU_MS, 0);
    const ewma = new Ewma(0, table);
    ewma.observe(100, 0);
    table.count(ewma.row, "request", 1);
    table.gated[ewma.row] = 1;
    const rows = Array.from({ length: 1_000 }, () => table.addRow());
    expect(new Set([ewma.row, ...rows]).size).toBe(1_001);
    expect(ewma.read(10_000)).toBeCloseTo(36.788, 3);
    expect([table.requests[ewma.row], table.gated[ewma.row]]).toEqual([1, 1]);
    ewma.observe(20, 11_000);
    // The stamp has grown along: no jump as of a first sample.
    expect(ewma.read(11_000)).toBeCloseTo(100 * Math.exp(-1.1) + 20 * (1 - Math.exp(-1.1)), 6);
  });
});
