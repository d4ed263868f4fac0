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
const FAULT_AT_MS = 500;
const FAULT_MS = 1_500;
/**
 * From the repair on. The last failure may come as late as a connection's timeout (1 s, which undici rounds up to 1.5 s) after
 * it; then the longest first ejection (5 s + 20 %) has to end.
 */
const RETURN_MS = 7_500;
/** In panic nobody waits for the end of an ejection. */
const AFTER_ALL_MS = 4_000;
/** Longer than the default timeout of an attempt (10 s). */
const STOPPED_MS = 12_000;
/** From the repair on: time for the longest second ejection (10 s + 20 %) to end. */
const SECOND_RETURN_MS = 12_500;

/** One backend suffers for a time. */
function oneIs(condition: Condition, name: string, faultMs = FAULT_MS): Scenario {
  const repairAtMs = FAULT_AT_MS + faultMs;
  return {
    name,
    steps: [
      { atMs: FAULT_AT_MS, who: "one", condition },
      { atMs: repairAtMs, who: "one", condition: "well" },
    ],
    loadMs: repairAtMs + RETURN_MS,
  };
}

/** Refuses connections every other second, `times` times. */
function flapping(times: number): Scenario {
  const changes = 2 * times;
  const steps = Array.from(
    { length: changes },
    (_, index): Step => ({
      atMs: FAULT_AT_MS + index * 1_000,
      who: "one",
      condition: index % 2 === 0 ? "refusing" : "well",
    }),
  );
  return {
    name: "flapping every second",
    steps,
    loadMs: FAULT_AT_MS + (changes - 1) * 1_000 + SECOND_RETURN_MS,
  };
}

/** Nobody can serve for a time; then `back` can. */
function allDown(back: "one" | "all", name: string): Scenario {
  const backAtMs = FAULT_AT_MS + FAULT_MS;
  return {
    name,
    steps: [
      { atMs: FAULT_AT_MS, who: "all", condition: "killed" },
      { atMs: backAtMs, who: back, condition: "well" },
    ],
    loadMs: backAtMs + AFTER_ALL_MS,
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
  oneIs("failing at times", "1 % of answers are 503", 5_000),
  oneIs("starting", "restarted, late at first"),
  oneIs("stalling", "bodies stall"),
  flapping(3),
  allDown("one", "all down, then one back"),
  allDown("all", "all down, then all back"),
];
