import type { BackendFigures, CallRecord, FromClient } from "../messages.ts";
import { Quantiles } from "./quantiles.ts";

type Report = Extract<FromClient, { kind: "report" }>;

const SHARE_WINDOW_MS = 1_000;

/** What one side of the comparison has done so far. */
export class Side {
  readonly name: string;
  readonly calls: CallRecord[] = [];
  readonly latencies: Quantiles = new Quantiles();
  failed = 0;
  readonly #reports: Report[] = [];

  constructor(name: string) {
    this.name = name;
  }

  add(report: Report): void {
    this.#reports.push({ ...report, calls: [] });
    for (const call of report.calls) {
      this.calls.push(call);
      this.latencies.add(call.ms);
      if (call.failed) this.failed++;
    }
  }

  get backends(): readonly BackendFigures[] {
    return this.#reports.at(-1)?.backends ?? [];
  }

  /** When there was news, milliseconds since the start. */
  get reportTimes(): readonly number[] {
    return this.#reports.map(({ atMs }) => atMs);
  }

  /** The share of each backend in the requests of the second before `atMs`. */
  shares(atMs: number = Number.POSITIVE_INFINITY): readonly number[] {
    const last = this.#reports.findLast((report) => report.atMs <= atMs);
    if (last === undefined) return [];
    const before = this.#reports.findLast((report) => report.atMs <= last.atMs - SHARE_WINDOW_MS);
    const recent = last.backends.map(({ requests }, index) => requests - (before?.backends[index]?.requests ?? 0));
    const all = recent.reduce((sum, requests) => sum + requests, 0);
    return recent.map((requests) => (all === 0 ? 0 : requests / all));
  }
}
