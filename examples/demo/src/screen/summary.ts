import { styleText } from "node:util";
import { DEFINITIONS, type Recovery, recoveries } from "../results/recovery.ts";
import type { Side } from "../results/side.ts";
import { type Fault, WORDS } from "../scenario.ts";
import { count, millis, seconds } from "./format.ts";

const LABEL = 38;
const VALUE = 20;

/** Both sides beside each other, when all is over. */
export function summary(sides: readonly Side[], faults: readonly Fault[], rate: number): string {
  const table = sides.map((side) => recoveries(side, faults, rate));
  const line = (label: string, value: (side: Side) => string): string => row(label, sides.map(value));
  return [
    styleText(
      "bold",
      row(
        "",
        sides.map(({ name }) => name),
      ),
    ),
    line("calls", ({ latencies }) => count(latencies.count)),
    line("failed", ({ failed }) => count(failed)),
    ...[0.5, 0.99, 0.999].map((share) =>
      line(`p${share * 100}`, ({ latencies }) => `${millis(latencies.at(share))} ms`),
    ),
    ...faults.flatMap((fault, index) =>
      faultLines(
        fault,
        table.map((side) => side[index]),
      ),
    ),
    "",
    ...DEFINITIONS.map((text) => styleText("dim", text)),
  ].join("\n");
}

function faultLines(fault: Fault, sides: readonly (Recovery | undefined)[]): string[] {
  return [
    "",
    `backend ${fault.backend + 1} ${WORDS[fault.condition].sentence}, for ${seconds(fault.endsAtMs - fault.startsAtMs)}`,
    row(
      "  calls disturbed for",
      sides.map((side) => time(side?.disturbedMs)),
    ),
    row(
      "  backend back after",
      sides.map((side) => time(side?.backMs)),
    ),
  ];
}

function time(ms: number | undefined): string {
  return ms === undefined ? "not before the end" : seconds(ms);
}

function row(label: string, values: readonly string[]): string {
  return label.padEnd(LABEL) + values.map((value) => value.padStart(VALUE)).join("");
}
