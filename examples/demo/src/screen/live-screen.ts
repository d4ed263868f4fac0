import { styleText } from "node:util";
import type { BackendFigures } from "../messages.ts";
import type { Side } from "../results/side.ts";
import { type Condition, WORDS } from "../scenario.ts";
import { bar, count, millis, percent, seconds } from "./format.ts";
import { type Moment, type Screen, situation } from "./screen.ts";

// Without a cursor, and without wrapping what a narrowed terminal has no room for.
const BEGIN = "\x1b[?25l\x1b[?7l";
const END = "\x1b[?25h\x1b[?7h";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** Columns of the table without the bar, and the bar's own limits. */
const TABLE_WIDTH = 70;
const SHORTEST_BAR = 8;
const LONGEST_BAR = 32;

/** Lines that `frame` makes: what a terminal must have room for. */
export const LIVE_ROWS = 17;
export const LIVE_COLUMNS: number = TABLE_WIDTH + SHORTEST_BAR;

/** A table that is drawn over itself. */
export class LiveScreen implements Screen {
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    out.write(BEGIN);
  }

  event(moment: Moment): void {
    this.update(moment);
  }

  update(moment: Moment): void {
    const lines = frame(moment, this.#out.columns);
    const up = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r`;
    this.#out.write(up + lines.map((line) => `${line}${CLEAR_LINE}\n`).join("") + CLEAR_BELOW);
    this.#drawn = lines.length;
  }

  end(): void {
    this.#out.write(END);
  }
}

function frame(moment: Moment, columns: number): string[] {
  const { elapsedMs, totalMs, conditions, sides } = moment;
  const barWidth = Math.min(Math.max(columns - TABLE_WIDTH - 1, SHORTEST_BAR), LONGEST_BAR);
  const well = conditions.every((condition) => condition === "well");
  const progress = bar(elapsedMs / totalMs, 24);
  const clock = `${(Math.min(elapsedMs, totalMs) / 1000).toFixed(1)} of ${seconds(totalMs)}`;
  const now = styleText(well ? "green" : ["bold", "yellow"], situation(conditions));
  return [`${progress}  ${clock}  ${now}`, "", ...sides.flatMap((side) => sideLines(side, conditions, barWidth))];
}

function sideLines(side: Side, conditions: readonly Condition[], barWidth: number): string[] {
  const failed = styleText(["bold", side.failed === 0 ? "green" : "red"], `${count(side.failed)} failed`);
  const { latencies } = side;
  const tail = `p50 ${millis(latencies.at(0.5))} ms  p99 ${millis(latencies.at(0.99))} ms`;
  const shares = side.shares();
  return [
    `${styleText("bold", side.name)}  ${count(latencies.count)} calls  ${failed}  ${tail}`,
    styleText("dim", header(barWidth)),
    ...conditions.map((condition, index) => row(index, condition, side.backends[index], shares[index] ?? 0, barWidth)),
    "",
  ];
}

function header(barWidth: number): string {
  const share = "share (1 s)".padEnd(barWidth + 6);
  return `   ${"is".padEnd(12)}${"seen as".padEnd(11)}${share} requests in flight   p50   p99 errors`;
}

function row(
  index: number,
  condition: Condition,
  figures: BackendFigures | undefined,
  share: number,
  barWidth: number,
): string {
  const is = styleText(condition === "well" ? "green" : "yellow", WORDS[condition].short.padEnd(12));
  const state = (figures?.state ?? "").padEnd(11);
  const errors = count(figures?.errors ?? 0).padStart(7);
  return [
    ` ${index + 1} `,
    is,
    ["healthy", "connected", ""].includes(figures?.state ?? "") ? state : styleText("yellow", state),
    bar(share, barWidth),
    percent(share).padStart(6),
    count(figures?.requests ?? 0).padStart(9),
    count(figures?.inFlight ?? 0).padStart(10),
    millis(figures?.p50 ?? 0).padStart(6),
    millis(figures?.p99 ?? 0).padStart(6),
    (figures?.errors ?? 0) === 0 ? errors : styleText("red", errors),
  ].join("");
}
