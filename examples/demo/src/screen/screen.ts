import type { Side } from "../results/side.ts";
import { type Condition, WORDS } from "../scenario.ts";

/** What there is to show. */
export interface Moment {
  readonly elapsedMs: number;
  readonly totalMs: number;
  /** How the backends really are, the same on both sides. */
  readonly conditions: readonly Condition[];
  readonly sides: readonly Side[];
}

export interface Screen {
  /** Something has happened to the backends. */
  event(moment: Moment, text: string): void;
  /** Called a few times a second. */
  update(moment: Moment): void;
  /** Leaves the terminal as it was found. */
  end(): void;
}

/** What is wrong now, as a sentence. */
export function situation(conditions: readonly Condition[]): string {
  const faults = conditions.flatMap((condition, index) =>
    condition === "well" ? [] : [`backend ${index + 1} ${WORDS[condition].sentence}`],
  );
  return faults.length === 0 ? "all backends are well" : faults.join(", ");
}
