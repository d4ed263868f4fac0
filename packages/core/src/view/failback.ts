import { type Hold, sum } from "./priorities.ts";

/** What a priority is credited with, and since when it has been better than that. */
interface Credit {
  available: number;
  better: { readonly sinceMs: number; least: number } | undefined;
}

/**
 * Keeps calls from going back to a priority as soon as it is better: only what it has been for a time without a break
 * counts. It gets worse at once. While the others can't take all calls, nothing is held back.
 */
export class Failback {
  #credits: ReadonlyMap<number, Credit> = new Map();

  /**
   * @param priorities in the order in which their availability is given
   * @param stableMs how long a priority must have been better
   * @param look told when the answer changes by time alone
   */
  holdAt(priorities: readonly number[], nowMs: number, stableMs: number, look: (atMs: number) => void): Hold {
    const keep = (credits: readonly Credit[]): void => {
      this.#credits = new Map(credits.map((entry, index) => [priorities[index] ?? index, entry]));
    };
    return (available, others) => {
      const credits = available.map((value, index) =>
        credit(this.#credits.get(priorities[index] ?? index), value, nowMs, stableMs),
      );
      const credited = credits.map((entry) => entry.available);
      if (sum(credited) + others < 100 && sum(available) > sum(credited)) {
        keep(available.map((value) => ({ available: value, better: undefined })));
        return available;
      }
      keep(credits);
      for (const { better } of credits) if (better !== undefined) look(better.sinceMs + stableMs);
      return credited;
    };
  }
}

function credit(before: Credit | undefined, value: number, nowMs: number, stableMs: number): Credit {
  if (before === undefined || value <= before.available) return { available: value, better: undefined };
  const better = before.better ?? { sinceMs: nowMs, least: value };
  const least = Math.min(better.least, value);
  if (nowMs - better.sinceMs < stableMs) {
    return { available: before.available, better: { sinceMs: better.sinceMs, least } };
  }
  return { available: least, better: value > least ? { sinceMs: nowMs, least: value } : undefined };
}
