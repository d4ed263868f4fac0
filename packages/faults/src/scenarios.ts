import type { Condition } from "./backends/conditions.ts";
import type { Whom } from "./backends/fleet.ts";

/** What happens to whom, and when. */
interface Step {
  readonly atMs: number;
  readonly who: Whom;
  readonly condition: Condition;
}

/** The first step is the fault, the last one the repair. */
export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
  /** How long calls are made. */
  readonly loadMs: number;
}

/** Time to find the pace. */
const FAULT_AT_MS = 1_000;
/** Shorter than the shortest first ejection (5 s − 20 %), so that the backend is well when its test comes. */
const FAULT_MS = 2_000;
/** Time for an ejection of the longest first kind (6 s) to end, counted from the fault, and for the backend to serve. */
const RETURN_MS = 7_500;
/** Longer than the default timeout of an attempt (10 s). */
const STOPPED_MS = 12_000;
/** Time for a second ejection (10 s + 20 %). */
const SECOND_RETURN_MS = 14_000;

/** One backend suffers for a time. */
function oneIs(condition: Condition, name: string, faultMs = FAULT_MS): Scenario {
  return {
    name,
    steps: [
      { atMs: FAULT_AT_MS, who: "one", condition },
      { atMs: FAULT_AT_MS + faultMs, who: "one", condition: "well" },
    ],
    loadMs: FAULT_AT_MS + Math.max(RETURN_MS, faultMs + RETURN_MS - FAULT_MS),
  };
}

/** Refuses connections every other second, `times` times. */
function flapping(times: number): Scenario {
  const steps = Array.from(
    { length: 2 * times },
    (_, index): Step => ({
      atMs: FAULT_AT_MS + index * 1_000,
      who: "one",
      condition: index % 2 === 0 ? "refusing" : "well",
    }),
  );
  const repairedAtMs = FAULT_AT_MS + (2 * times - 1) * 1_000;
  return { name: "flapping every second", steps, loadMs: repairedAtMs + SECOND_RETURN_MS };
}

/** Nobody can serve for a time; then `back` can. */
function allDown(back: "one" | "all", name: string): Scenario {
  return {
    name,
    steps: [
      { atMs: FAULT_AT_MS, who: "all", condition: "killed" },
      { atMs: FAULT_AT_MS + FAULT_MS, who: back, condition: "well" },
    ],
    loadMs: FAULT_AT_MS + RETURN_MS,
  };
}

export const scenarios: readonly Scenario[] = [
  oneIs("killed", "killed (SIGKILL), restarted"),
  oneIs("stopped", "stopped (SIGSTOP), continued", STOPPED_MS),
  oneIs("refusing", "connections refused"),
  oneIs("deaf", "SYNs dropped"),
  oneIs("hanging up", "accepts and closes"),
  oneIs("answering 503", "answers 503"),
  oneIs("answering 500", "answers 500"),
  oneIs("failing at times", "1 % of answers are 503", 6_000),
  oneIs("starting", "restarted, late at first"),
  oneIs("stalling", "bodies stall"),
  flapping(3),
  allDown("one", "all down, then one back"),
  allDown("all", "all down, then all back"),
];
