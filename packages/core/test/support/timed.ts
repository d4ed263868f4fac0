import type { Attempt, Clock } from "@fairlead/core";

/** How one backend answers: after so many milliseconds, with a value or an error. */
export interface Answer {
  readonly afterMs: number;
  readonly value?: unknown;
  readonly error?: unknown;
}

export interface Timed {
  readonly run: (attempt: Attempt) => Promise<unknown>;
  /** Ids of the backends that were asked, in order. */
  readonly visits: string[];
  /** Of those, the ones whose attempt was given up. */
  readonly aborted: string[];
}

/** An attempt that takes time on the given clock, ends when it is given up, and notes what became of it. */
export function timed(clock: Clock, answers: Readonly<Record<string, Answer>>): Timed {
  const visits: string[] = [];
  const aborted: string[] = [];
  const run = ({ backend: { id }, signal }: Attempt): Promise<unknown> =>
    new Promise((resolve, reject) => {
      visits.push(id);
      const answer = answers[id];
      if (answer === undefined) throw new Error(`no answer of ${id}`);
      const timer = clock.schedule(answer.afterMs, () =>
        "error" in answer ? reject(answer.error) : resolve(answer.value ?? id),
      );
      signal.addEventListener("abort", () => {
        timer.cancel();
        aborted.push(id);
        reject(signal.reason as Error);
      });
    });
  return { run, visits, aborted };
}
