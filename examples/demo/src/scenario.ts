/** What a backend does wrong, or `well`. */
export type Condition = "well" | "slow" | "killed" | "refusing";

export interface Fault {
  /** Which backend of each set, from 0. */
  readonly backend: number;
  readonly condition: Exclude<Condition, "well">;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}

export const BACKENDS = 4;

/** Words for a condition: in the table, and in a sentence after "backend 2". */
export const WORDS: Readonly<Record<Condition, { readonly short: string; readonly sentence: string }>> = {
  well: { short: "well", sentence: "is well again" },
  slow: { short: "10× slower", sentence: "is ten times slower" },
  killed: { short: "killed", sentence: "is killed (SIGKILL)" },
  refusing: { short: "answers 503", sentence: "answers 503 at once" },
};

/**
 * When what happens, in shares of the run. The first fault comes when both sides have found their pace; the last repair
 * leaves time to see its backend come back.
 */
const SCHEDULE = [
  { backend: 1, condition: "slow", starts: 0.09, ends: 0.2 },
  { backend: 0, condition: "killed", starts: 0.27, ends: 0.36 },
  { backend: 2, condition: "refusing", starts: 0.43, ends: 0.52 },
] as const;

export function scenario(seconds: number): readonly Fault[] {
  return SCHEDULE.map(({ backend, condition, starts, ends }) => ({
    backend,
    condition,
    startsAtMs: starts * seconds * 1000,
    endsAtMs: ends * seconds * 1000,
  }));
}
