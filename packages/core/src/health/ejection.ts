import type { Outcome } from "../call/outcome.ts";
import type { Random } from "../random.ts";
import type { EjectionSettings } from "./ejection-settings.ts";

/**
 * - `in`: takes calls. After a failure it is in doubt from a moment on, unless it proves itself before.
 * - `ejected`: takes none until its time has passed.
 * - `probation`: ejected (then there is a reason) or left alone for its time; takes one attempt at a time, whose success
 *   brings it back.
 */
type State =
  | { readonly kind: "in"; failures: number; doubtAtMs: number; failedAtMs: number }
  | { readonly kind: "ejected"; readonly untilMs: number; readonly reason: string }
  | { readonly kind: "probation"; readonly reason: string | undefined };

function fresh(): State {
  return { kind: "in", failures: 0, doubtAtMs: Number.POSITIVE_INFINITY, failedAtMs: Number.NEGATIVE_INFINITY };
}

/** What a report changed, or what it gives cause for: whether an ejection comes of it is decided elsewhere. */
export type EjectionChange =
  | { readonly kind: "returned" }
  | { readonly kind: "consecutiveFailures" | "failedTest"; readonly failures: number }
  | undefined;

/** A backend in doubt that is busy is looked at again after this long. */
const LOOK_AGAIN_MS = 1_000;

/** An unreported test attempt gives its place back after this long: three default attempt timeouts. */
const PROBE_EXPIRY_MS = 30_000;

/**
 * Passive health of one backend: notices failures in a row, keeps the time of an ejection, which grows, and takes the
 * backend back after one attempt that works. Reports of attempts that began in an earlier state are not heard.
 *
 * Source: Envoy `outlier_detection_impl.cc` (consecutive 5xx, multiplier with decay), Finagle `FailureAccrualFactory`
 * (return by a single probe).
 */
export class Ejection {
  #state: State = fresh();
  /** Counts changes of state; a report carries the generation that admitted it. */
  generation = 0;
  /** Steps of growth that the next ejection has coming. */
  #level = 0;
  #returnedAtMs = 0;
  #probes = 0;
  #probeStartedAtMs = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  get ejected(): boolean {
    return this.#state.kind === "ejected";
  }

  /** Not fully trusted: ejected or on probation. Such a backend takes one attempt at a time. */
  get suspect(): boolean {
    return this.#state.kind !== "in";
  }

  get probation(): boolean {
    return this.#state.kind === "probation";
  }

  /** When the ejection ends; `undefined` unless ejected. */
  get untilMs(): number | undefined {
    return this.#state.kind === "ejected" ? this.#state.untilMs : undefined;
  }

  /** Why it was ejected, until it is back. */
  get reason(): string | undefined {
    return this.#state.kind === "in" ? undefined : this.#state.reason;
  }

  get failures(): number {
    return this.#state.kind === "in" ? this.#state.failures : 0;
  }

  /** When time alone changes the state; `Infinity` if it never does. */
  get changesAtMs(): number {
    if (this.#state.kind === "ejected") return this.#state.untilMs;
    return this.#state.kind === "in" ? this.#state.doubtAtMs : Number.POSITIVE_INFINITY;
  }

  /**
   * Puts a backend on probation whose time has passed: after an ejection, or after failures too few for one if nobody has
   * called it since. A strategy that shuns what failed would otherwise learn late that it works again.
   */
  expire(nowMs: number, idle: boolean): boolean {
    if (nowMs < this.changesAtMs) return false;
    if (this.#state.kind === "in" && !idle) {
      this.#state.doubtAtMs = nowMs + LOOK_AGAIN_MS;
      return false;
    }
    // Not a new generation: an attempt that was made in panic and is still under way is the test attempt now.
    this.#state = { kind: "probation", reason: this.reason };
    return true;
  }

  /** Whether a suspect backend has its one place free. */
  hasFreeProbe(nowMs: number): boolean {
    return this.#probes === 0 || nowMs - this.#probeStartedAtMs >= PROBE_EXPIRY_MS;
  }

  /** An attempt on a suspect backend begins. */
  enterProbe(nowMs: number): void {
    this.#probes++;
    this.#probeStartedAtMs = nowMs;
  }

  /** The attempt has its verdict, or was given back without one. */
  leaveProbe(generation: number): void {
    if (generation === this.generation && this.#probes > 0) this.#probes--;
  }

  /**
   * Takes in the verdict on an attempt that was admitted under `generation`, `tookMs` ago.
   *
   * @param counted whether a failure is one of those in a row
   */
  report(
    generation: number,
    outcome: Outcome,
    nowMs: number,
    settings: EjectionSettings,
    tookMs: number = 0,
    counted: boolean = true,
  ): EjectionChange {
    if (generation !== this.generation) return undefined;
    if (outcome === "success") return this.#succeeded(nowMs, tookMs);
    if (outcome === "failure" || outcome === "unreached") return this.#failed(nowMs, settings, counted);
    return undefined;
  }

  /** Takes it out of play. Returns until when. */
  eject(nowMs: number, settings: EjectionSettings, reason: string): number {
    if (this.reason === undefined) {
      const forgiven = Math.floor((nowMs - this.#returnedAtMs) / settings.intervalMs);
      this.#level = Math.max(0, this.#level - forgiven);
    }
    const untilMs = nowMs + this.#duration(settings);
    // Steps that lengthen nothing would only take time to forgive.
    if (settings.growth !== "fixed" && this.#grown(settings) < settings.maxMs) this.#level++;
    this.#become({ kind: "ejected", untilMs, reason });
    return untilMs;
  }

  /** It is to be back before its time, or is not ejected after all. Returns whether that changed anything. */
  pass(nowMs: number): boolean {
    return this.suspect && this.#succeeded(nowMs, 0) !== undefined;
  }

  /** Back in, whatever the history. */
  reset(): void {
    this.#level = 0;
    this.#become(fresh());
  }

  #succeeded(nowMs: number, tookMs: number): EjectionChange {
    if (this.#state.kind === "in") {
      this.#state.failures = 0;
      // What began before the failure doesn't take back that a strategy shuns the backend since.
      if (nowMs - Math.max(0, tookMs) >= this.#state.failedAtMs) this.#state.doubtAtMs = Number.POSITIVE_INFINITY;
      return undefined;
    }
    // In panic an ejected backend is tried before its time; if it works, its time is over.
    this.#returnedAtMs = nowMs;
    this.#become(fresh());
    return { kind: "returned" };
  }

  #failed(nowMs: number, settings: EjectionSettings, counted: boolean): EjectionChange {
    const state = this.#state;
    if (state.kind === "ejected") return undefined;
    // One test is enough for who was ejected; who was only in doubt has failed in a row.
    if (state.kind === "probation")
      return { kind: state.reason === undefined ? "consecutiveFailures" : "failedTest", failures: 0 };
    state.failedAtMs = nowMs;
    const { consecutiveFailures, detection } = settings;
    if (consecutiveFailures === false) return undefined;
    // A dry run must not keep calls away in any way.
    if (detection?.settings.dryRun !== true) state.doubtAtMs = nowMs + this.#duration(settings);
    if (counted) state.failures++;
    const { failures } = state;
    if (failures < consecutiveFailures) return undefined;
    state.failures = 0;
    return { kind: "consecutiveFailures", failures };
  }

  /** The time that has grown so far, varied by ± jitter; never above the maximum, which liveness relies on. */
  #duration(settings: EjectionSettings): number {
    const varied = this.#grown(settings) * (1 + settings.jitter * (2 * this.#random.next() - 1));
    return Math.min(varied, settings.maxMs);
  }

  #grown({ baseMs, maxMs, growth }: EjectionSettings): number {
    const steps = growth === "linear" ? this.#level + 1 : growth === "fixed" ? 1 : 2 ** this.#level;
    return Math.min(baseMs * steps, maxMs);
  }

  #become(state: State): void {
    this.#state = state;
    this.generation++;
    this.#probes = 0;
  }
}
