import type { LatencyLoad } from "../../backend.ts";

/** How far exponents may grow before the scale is moved: e^500 times any latency is far below 1.8e308. */
const LARGEST_EXPONENT = 500;

/**
 * The common time scale of the latencies of one balancer ("forward decay"). An average that fades as
 * `value · e^(−age/τ)` is kept as `value · e^(stamp/τ)` instead: then all of them fade by not being touched, and
 * comparing them at any moment needs no exponential function at all.
 *
 * Source: Cormode, Shkapenyuk, Srivastava, Xu, "Forward Decay" (ICDE 2009).
 */
export class DecayScale {
  /** τ, milliseconds. */
  readonly decayMs: number;
  #epochMs: number;
  readonly #members = new Set<PeakEwma>();

  constructor(decayMs: number, nowMs: number) {
    this.decayMs = decayMs;
    this.#epochMs = nowMs;
  }

  /** The factor by which values of this moment are scaled. */
  factorAt(nowMs: number): number {
    const exponent = (nowMs - this.#epochMs) / this.decayMs;
    if (exponent < LARGEST_EXPONENT) return Math.exp(exponent);
    for (const member of this.#members) member.rescale(Math.exp(-exponent));
    this.#epochMs = nowMs;
    return 1;
  }

  add(member: PeakEwma): void {
    this.#members.add(member);
  }

  delete(member: PeakEwma): void {
    this.#members.delete(member);
  }
}

/**
 * Peak EWMA of a backend's latency: jumps up to a worse sample at once, comes down with time.
 *
 * Source: Finagle, `loadbalancer/PeakEwma.scala`.
 */
export class PeakEwma implements LatencyLoad {
  // A fraction from the start, so that V8 keeps these as unboxed doubles and updates allocate nothing.
  scaled = 0.5;
  #stampFactor = 0.5;
  readonly #scale: DecayScale;

  constructor(scale: DecayScale) {
    this.#scale = scale;
    this.forget();
    scale.add(this);
  }

  /** Takes in a sample of `ms` milliseconds: `max(ms, old · w + ms · (1 − w))`, w = e^(−age/τ). */
  observe(ms: number, nowMs: number): void {
    const factor = this.#scale.factorAt(nowMs);
    const kept = this.#stampFactor / factor;
    const faded = this.scaled / factor;
    const mixed = faded + ms * (1 - kept);
    this.scaled = (ms > mixed ? ms : mixed) * factor;
    this.#stampFactor = factor;
  }

  read(nowMs: number): number {
    return this.scaled === 0 ? 0 : this.scaled / this.#scale.factorAt(nowMs);
  }

  /** Back to "no history": what a backend did before it was ejected says nothing about it now. */
  forget(): void {
    this.scaled = 0;
    this.#stampFactor = 0;
  }

  rescale(by: number): void {
    this.scaled *= by;
    this.#stampFactor *= by;
  }

  dispose(): void {
    this.#scale.delete(this);
  }
}
