/** The middle of many measurements, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  /** A quarter of the measurements lie below. */
  readonly low: number;
  /** A quarter of the measurements lie above. */
  readonly high: number;
}

export function spread(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

/** Interpolates linearly between the two nearest values (type 7 of Hyndman and Fan, as in R and NumPy). */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position % 1);
}

/** What `combine` makes of the two measurements of each round. */
export function paired(
  values: readonly number[],
  bases: readonly number[],
  combine: (value: number, base: number) => number,
): Spread {
  return spread(values.map((value, round) => combine(value, bases[round] ?? Number.NaN)));
}
