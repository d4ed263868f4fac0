/** The part of two lists that is not the same at both ends: `from` on in both, up to `to` in the new one. */
export interface Difference {
  readonly from: number;
  readonly to: number;
  readonly toBefore: number;
}

export function differing<T>(before: readonly T[], after: readonly T[]): Difference {
  let from = 0;
  let to = after.length;
  let toBefore = before.length;
  while (from < to && from < toBefore && after[from] === before[from]) from++;
  while (to > from && toBefore > from && after[to - 1] === before[toBefore - 1]) {
    to--;
    toBefore--;
  }
  return { from, to, toBefore };
}
