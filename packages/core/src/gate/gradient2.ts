import { expected, OptionCheck } from "../options.ts";
import type { AdaptiveLimit, ConcurrencyLimit } from "./limit-adaptive.ts";

export interface Gradient2Options {
  /** What it limits: each backend by itself (default), or all of them together. */
  readonly scope?: "backend" | "upstream" | undefined;
  /** Where it begins; whole, from `min` to `max`. Default 20, or what of that range is nearest. */
  readonly initial?: number | undefined;
  /** It never falls below; whole, ≥ 1. Default 20. */
  readonly min?: number | undefined;
  /** It never rises above; whole, ≥ `min`. Default 200, or `min` if that is more. */
  readonly max?: number | undefined;
  /** The weight of each new estimate, above 0 and up to 1. Default 0.2. */
  readonly smoothing?: number | undefined;
  /** How many requests may wait inside a backend: what the limit grows by while latency is good; ≥ 0. Default 4. */
  readonly queueSize?: number | undefined;
  /** Samples over which the long-term latency is averaged; whole, ≥ 1. Default 600. */
  readonly longWindow?: number | undefined;
  /** Latency may grow to so many times the long-term one before the limit falls; ≥ 1. Default 1.5. */
  readonly tolerance?: number | undefined;
}

interface Gradient2Settings {
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly smoothing: number;
  readonly queueSize: number;
  readonly longWindow: number;
  readonly tolerance: number;
}

/** The first samples are averaged plainly. */
const WARM_UP_SAMPLES = 10;
/** A long-term latency beyond so many times the present one is out of date… */
const STALE_RATIO = 2;
/** …and fades by so much with each sample. */
const STALE_FADE = 0.95;
/** One slow answer never takes away more than half: it may be an outlier. */
const LEAST_GRADIENT = 0.5;

/**
 * Netflix' Gradient2: the limit grows while latency is near its long-term average and falls when it rises above.
 *
 * A request that was no success counts as Netflix has it, by the time it took, with one exception: if it failed faster
 * than requests take on average, it says nothing about queues and is left out. A backend that refuses at once would
 * look fast, and be sent more.
 *
 * Source: Netflix/concurrency-limits, `Gradient2Limit.java` and `ExpAvgMeasurement.java`.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function gradient2(options: Gradient2Options = {}): AdaptiveLimit {
  const check = new OptionCheck();
  const input = check.record("", options, KEYS) ?? {};
  const scope = check.optional("scope", input["scope"], expected.oneOf(["backend", "upstream"])) ?? "backend";
  const read = (key: keyof Gradient2Settings, wanted: ReturnType<typeof expected.number>): number | undefined =>
    check.optional(key, input[key], wanted);
  const min = read("min", expected.integer({ min: 1 })) ?? 20;
  const max = read("max", expected.integer({ min })) ?? Math.max(200, min);
  const settings: Gradient2Settings = {
    initial: read("initial", expected.integer({ min, max })) ?? Math.min(Math.max(20, min), max),
    min,
    max,
    smoothing: read("smoothing", expected.number({ above: 0, max: 1 })) ?? 0.2,
    queueSize: read("queueSize", expected.number({ min: 0 })) ?? 4,
    longWindow: read("longWindow", expected.integer({ min: 1 })) ?? 600,
    tolerance: read("tolerance", expected.number({ min: 1 })) ?? 1.5,
  };
  check.throwIfAny("gradient2");
  return { name: "gradient2", scope, createLimit: () => new Gradient2(settings) };
}

const KEYS: readonly (keyof Gradient2Options)[] = [
  "scope",
  "initial",
  "min",
  "max",
  "smoothing",
  "queueSize",
  "longWindow",
  "tolerance",
];

class Gradient2 implements ConcurrencyLimit {
  readonly #settings: Gradient2Settings;
  /** Not whole. */
  #estimate: number;
  #longMs = 0;
  #samples = 0;
  #sumMs = 0;

  constructor(settings: Gradient2Settings) {
    this.#settings = settings;
    this.#estimate = settings.initial;
  }

  get limit(): number {
    return Math.floor(this.#estimate);
  }

  sample(latencyMs: number, inFlight: number, dropped: boolean): void {
    if (dropped && latencyMs < this.#longMs) return;
    const { tolerance, queueSize, smoothing, min, max } = this.#settings;
    const longMs = this.#average(latencyMs);
    if (longMs > STALE_RATIO * latencyMs) this.#longMs = longMs * STALE_FADE;
    // Callers ask for less than the limit gives: nothing can be learnt about it.
    if (inFlight < this.#estimate / 2) return;
    const gradient = Math.max(LEAST_GRADIENT, Math.min(1, (tolerance * longMs) / latencyMs));
    const wanted = this.#estimate * gradient + queueSize;
    const smoothed = this.#estimate * (1 - smoothing) + wanted * smoothing;
    this.#estimate = Math.max(min, Math.min(max, smoothed));
  }

  /** A plain average of the first samples, an exponential one from then on. */
  #average(latencyMs: number): number {
    if (this.#samples < WARM_UP_SAMPLES) {
      this.#samples++;
      this.#sumMs += latencyMs;
      this.#longMs = this.#sumMs / this.#samples;
    } else this.#longMs += (latencyMs - this.#longMs) * (2 / (this.#settings.longWindow + 1));
    return this.#longMs;
  }
}
