import type { BreakerSettings } from "../settings.ts";
import type { Verdict } from "./state.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** One round of probes: as soon as enough have worked it closes, as soon as too many have failed it opens. */
export class HalfOpen {
  readonly kind = "half-open";
  /** Probes without a verdict yet. */
  #pending = 0;
  worked = 0;
  failed = 0;
  /** When all pending ones have failed for want of a verdict. */
  expiresAtMs: number = NEVER;
  /** How long it would be open next: fixed in advance, so that time alone tells the state at any moment. */
  readonly nextOpenMs: number;
  readonly size: number;
  readonly #needed: number;
  readonly #timeoutMs: number;

  constructor({ probes, probesNeeded, probeTimeoutMs }: BreakerSettings, nextOpenMs: number) {
    this.size = probes;
    this.#needed = probesNeeded;
    this.#timeoutMs = probeTimeoutMs;
    this.nextOpenMs = nextOpenMs;
  }

  get hasRoom(): boolean {
    return this.worked + this.failed + this.#pending < this.size;
  }

  /** Whether probes that never reported have decided the matter. */
  isLostAt(nowMs: number): boolean {
    return nowMs >= this.expiresAtMs && this.failed + this.#pending > this.size - this.#needed;
  }

  /** Until when it is open in fact, should it be lost. */
  get openUntilMs(): number {
    return this.expiresAtMs + this.nextOpenMs;
  }

  enter(nowMs: number): void {
    this.#pending++;
    this.expiresAtMs = nowMs + this.#timeoutMs;
  }

  /** Those without a verdict have failed. */
  losePending(): void {
    this.failed += this.#pending;
    this.#pending = 0;
    this.expiresAtMs = NEVER;
  }

  /** Takes the verdict on one; returns how the round has ended, if it has. `none` only gives the place back. */
  judge(verdict: Verdict): "worked" | "failed" | undefined {
    this.#pending--;
    if (this.#pending === 0) this.expiresAtMs = NEVER;
    if (verdict === "worked") this.worked++;
    else if (verdict === "failed") this.failed++;
    if (this.worked >= this.#needed) return "worked";
    return this.failed > this.size - this.#needed ? "failed" : undefined;
  }
}
