import type { Instance } from "./fleet.ts";
import type { Figures, GroupShare, Measured, PhaseResult, Step } from "./result.ts";
import { ENDS, RETURNS, type Samples } from "./samples.ts";
import { DEFAULTS, type Scenario } from "./scenario.ts";

/** A stretch of a run: figures, and attempts per backend. */
interface Stretch {
  readonly figures: Figures;
  readonly perBackend: readonly number[];
}

/** Turns samples into figures: of the whole measurement, its phases, and its steps. */
export class Measurement {
  readonly #scenario: Scenario;
  readonly #samples: Samples;
  readonly #instances: readonly Instance[];
  readonly #startMs: number;

  constructor(scenario: Scenario, samples: Samples, instances: readonly Instance[]) {
    this.#scenario = scenario;
    this.#samples = samples;
    this.#instances = instances;
    this.#startMs = scenario.warmUpMs ?? DEFAULTS.warmUpMs;
  }

  result(): Measured {
    // Repeats may begin after the last call.
    const whole = this.#stretch(0, Number.POSITIVE_INFINITY);
    return {
      ...whole.figures,
      groups: this.#groups(whole),
      backends: this.#instances.map(({ id, group, index }) => {
        const attempts = whole.perBackend[index] ?? 0;
        return { id, group: group.name, attempts, sharePercent: percent(attempts, whole.figures.attempts) };
      }),
      phases: this.#phases(),
      timeline: this.#timeline(),
    };
  }

  #phases(): PhaseResult[] {
    const { phases = [], durationMs } = this.#scenario;
    return phases.map(({ name, fromMs, toMs = durationMs }) => {
      const stretch = this.#stretch(fromMs, toMs);
      return { name, fromMs, toMs, ...stretch.figures, groups: this.#groups(stretch) };
    });
  }

  #timeline(): Step[] {
    const { durationMs, stepMs = durationMs / DEFAULTS.steps } = this.#scenario;
    return Array.from({ length: Math.ceil(durationMs / stepMs) }, (_, step) => {
      const fromMs = step * stepMs;
      const toMs = Math.min(durationMs, fromMs + stepMs);
      const { figures, perBackend } = this.#stretch(fromMs, toMs);
      return { fromMs, toMs, ...figures, shares: perBackend.map((count) => percent(count, figures.attempts)) };
    });
  }

  #groups({ figures, perBackend }: Stretch): GroupShare[] {
    return this.#scenario.backends.map((group) => {
      const count = this.#instances
        .filter((instance) => instance.group === group)
        .reduce((total, { index }) => total + (perBackend[index] ?? 0), 0);
      return { group: group.name, sharePercent: percent(count, figures.attempts) };
    });
  }

  #stretch(fromMs: number, toMs: number): Stretch {
    const { calls, attempts } = this.#samples;
    const [firstCall, endCall] = rowsBetween(calls, this.#startMs + fromMs, this.#startMs + toMs);
    const [firstAttempt, endAttempt] = rowsBetween(attempts, this.#startMs + fromMs, this.#startMs + toMs);
    const perBackend = this.#instances.map(() => 0);
    for (const backend of attempts.backends.subarray(firstAttempt, endAttempt))
      perBackend[backend] = (perBackend[backend] ?? 0) + 1;
    const ends = calls.ends.subarray(firstCall, endCall);
    const refused = occurrences(ends, ENDS.refused);
    const errors = ends.length - occurrences(ends, ENDS.served);
    const sent = endAttempt - firstAttempt;
    const zoned = (this.#scenario.clientZones?.length ?? 0) > 0;
    const sameZone = occurrences(attempts.sameZone.subarray(firstAttempt, endAttempt), 1);
    const returns = attempts.returns.subarray(firstAttempt, endAttempt);
    const same = occurrences(returns, RETURNS.same);
    const other = occurrences(returns, RETURNS.other);
    const figures = {
      calls: ends.length,
      errors,
      refused,
      errorPercent: percent(errors, ends.length),
      attempts: sent,
      extraPercent: percent(sent - (ends.length - refused), ends.length),
      sameZonePercent: zoned ? percent(sameZone, sent) : null,
      sameBackendPercent: this.#scenario.keys === undefined ? null : percent(same, same + other),
      ...times(calls.latencyMs.slice(firstCall, endCall)),
    };
    return { figures, perBackend };
  }
}

/** Sorts the times; those of refused calls are NaN, and come last. */
function times(latencyMs: Float64Array): Pick<Figures, "meanMs" | "p50Ms" | "p99Ms" | "p999Ms"> {
  latencyMs.sort();
  let size = latencyMs.length;
  while (size > 0 && Number.isNaN(latencyMs[size - 1])) size--;
  const known = latencyMs.subarray(0, size);
  const percentile = (share: number): number => rounded(known[Math.ceil(share * size) - 1] ?? 0, 1_000);
  return {
    meanMs: size === 0 ? 0 : rounded(known.reduce((total, ms) => total + ms, 0) / size, 1_000),
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    p999Ms: percentile(0.999),
  };
}

/** First row that began at `fromMs` or later, and first that began at `toMs` or later. */
function rowsBetween(
  { startedMs, size }: { readonly startedMs: Float64Array; readonly size: number },
  fromMs: number,
  toMs: number,
): [number, number] {
  const firstAt = (ms: number): number => {
    let low = 0;
    let high = size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((startedMs[middle] as number) < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return [firstAt(fromMs), firstAt(toMs)];
}

function occurrences(column: Uint8Array, value: number): number {
  let found = 0;
  for (const item of column) if (item === value) found++;
  return found;
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : rounded((100 * part) / whole, 10_000);
}

/** To a fraction of one: figures that people can read. */
function rounded(value: number, fractions: number): number {
  return Math.round(value * fractions) / fractions;
}
