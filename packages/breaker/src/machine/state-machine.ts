import type { Clock, Random } from "@fairlead/core";
import type { BreakerSettings } from "../settings.ts";
import { HalfOpen } from "./half-open.ts";
import { openMs, tripReason } from "./rules.ts";
import type { Change, SavedState, State, Verdict } from "./state.ts";
import { countsAlike, createWindow, type Window } from "./window.ts";

export interface MachineContext {
  readonly clock: Clock;
  readonly random: Random;
  /** After every change, when it is done. */
  readonly changed: (change: Change) => void;
  /** `passes` may have changed for another reason. */
  readonly gateChanged?: (() => void) | undefined;
}

/** The ticket of a call that is not counted: none of the tickets that `enter` gives. */
export const UNCOUNTED = 0;

/**
 * Closed, open, half-open: decides who may pass, by reports on those who did.
 *
 * It has no timers. What time alone changes (an opening ends, a probe is lost) is true from that moment on for everybody
 * who asks, and is carried out, and announced, by the next call that passes or reports.
 *
 * A ticket is the generation that admitted a call; a report with an older one changes nothing. So what began before the
 * breaker opened can neither close it nor open it again.
 */
export class StateMachine {
  readonly #context: MachineContext;
  #settings: BreakerSettings;
  #window: Window | undefined;
  #state: State = { kind: "closed" };
  #generation: number;
  /** Tickets before this one were given by another machine, whose place this one took. */
  readonly firstGeneration: number;
  #failuresInRow = 0;
  #inFlight = 0;
  /** Openings that growth remembers. */
  #level = 0;
  #closedAtMs: number;
  #openedAtMs: number | undefined;
  #enabled: boolean;
  #warmUntilMs: number;

  constructor(settings: BreakerSettings, context: MachineContext, firstGeneration = 1) {
    const nowMs = context.clock.now();
    this.#context = context;
    this.#settings = settings;
    this.#window = createWindow(settings, nowMs);
    this.#generation = firstGeneration;
    this.firstGeneration = firstGeneration;
    this.#closedAtMs = nowMs;
    this.#enabled = settings.enabled;
    this.#warmUntilMs = settings.allowWarmUp ? nowMs + settings.rollingCountTimeout : nowMs;
  }

  // For calls

  /** Whether `admits` is true whatever the time; it says so until `changed` or `gateChanged`. */
  get passes(): boolean {
    return !this.#enabled || (this.#state.kind === "closed" && this.#settings.capacity === Number.POSITIVE_INFINITY);
  }

  /** Pure. */
  admits(nowMs: number): boolean {
    if (!this.#enabled) return true;
    if (this.#inFlight >= this.#settings.capacity) return false;
    return this.#state.kind === "closed" || this.#admitsProbe(this.#state, nowMs);
  }

  /** For a call that `admits` let in; returns its ticket. */
  enter(nowMs: number): number {
    if (!this.#enabled) return UNCOUNTED;
    this.#inFlight++;
    if (this.#state.kind !== "closed") this.#enterProbe(nowMs);
    return this.#generation;
  }

  /** Exactly once per `enter`. */
  report(ticket: number, verdict: Verdict, latencyMs: number, nowMs: number): void {
    if (ticket < this.firstGeneration) return;
    this.#inFlight--;
    if (this.#state.kind !== "closed") this.notice(nowMs);
    if (ticket !== this.#generation) return;
    const slow = latencyMs > this.#settings.slowAboveMs;
    if (this.#state.kind === "half-open") this.#judgeProbe(this.#state, verdict, slow, nowMs);
    else if (this.#state.kind === "closed" && verdict !== "none") this.#count(verdict === "failed", slow, nowMs);
  }

  // What it is now

  get generation(): number {
    return this.#generation;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  get openedAtMs(): number | undefined {
    return this.#openedAtMs;
  }

  get isolated(): boolean {
    return this.#state.kind === "open" && this.#state.untilMs === Number.POSITIVE_INFINITY;
  }

  get full(): boolean {
    return this.#inFlight >= this.#settings.capacity;
  }

  isWarmingUp(nowMs: number): boolean {
    return nowMs < this.#warmUntilMs;
  }

  /** As time has it, whether or not a call has noticed. */
  stateAt(nowMs: number): State["kind"] {
    const state = this.#state;
    if (state.kind === "closed") return "closed";
    return nowMs < openUntilMs(state, nowMs) ? "open" : "half-open";
  }

  /** When an open one may be tried again; `undefined` if it is not open. */
  openUntilMs(nowMs: number): number | undefined {
    if (this.#state.kind === "closed") return undefined;
    const untilMs = openUntilMs(this.#state, nowMs);
    return nowMs < untilMs ? untilMs : undefined;
  }

  countsAt(nowMs: number): Pick<Window, "finished" | "failed" | "slow"> {
    this.#window?.moveTo(nowMs);
    return this.#window ?? { finished: 0, failed: 0, slow: 0 };
  }

  saveAt(nowMs: number): SavedState {
    const untilMs = this.openUntilMs(nowMs);
    const { clock } = this.#context;
    return {
      state: this.stateAt(nowMs),
      isolated: this.isolated,
      openUntilAt: untilMs === undefined || this.isolated ? null : Math.round(clock.wallNow() + untilMs - nowMs),
      level: this.#level,
    };
  }

  // By hand

  set enabled(enabled: boolean) {
    this.#enabled = enabled;
    this.#context.gateChanged?.();
  }

  set settings(settings: BreakerSettings) {
    const nowMs = this.#context.clock.now();
    if (!countsAlike(settings, this.#settings)) this.#window = createWindow(settings, nowMs);
    if (settings.enabled !== this.#settings.enabled) this.#enabled = settings.enabled;
    this.#settings = settings;
    this.#context.gateChanged?.();
    // The room that probes have may be another one.
    if (this.#state.kind === "half-open") this.#halfOpen("its options changed");
  }

  /** As if it had tripped; does nothing if it is open. */
  open(reason: string): void {
    const nowMs = this.#context.clock.now();
    if (this.stateAt(nowMs) !== "open") this.#open(reason, nowMs);
  }

  /** Until `close`, whatever happens. */
  isolate(reason: string): void {
    const nowMs = this.#context.clock.now();
    if (!this.isolated) this.#openUntil(reason, nowMs, Number.POSITIVE_INFINITY);
  }

  /** Ends everything that was held against it. */
  close(reason: string): void {
    this.#level = 0;
    if (this.#state.kind !== "closed") this.#close(reason, this.#context.clock.now());
  }

  /** Takes over a state of another process; an opening lasts no longer than one could from now on. */
  restore({ state, isolated, openUntilAt, level }: SavedState): void {
    const { clock } = this.#context;
    const nowMs = clock.now();
    this.#level = level;
    const reason = "it was when its state was saved";
    if (isolated) this.#openUntil(reason, nowMs, Number.POSITIVE_INFINITY);
    else if (state !== "closed") {
      const leftMs = state === "open" && openUntilAt !== null ? openUntilAt - clock.wallNow() : 0;
      this.#openUntil(reason, nowMs, nowMs + Math.min(Math.max(0, leftMs), this.#settings.longestOpenMs));
    }
  }

  /** Counts calls of another process. */
  prime(worked: number, failed: number): void {
    const nowMs = this.#context.clock.now();
    for (let call = 0; call < worked + failed; call++) this.#window?.record(call >= worked, false, nowMs);
  }

  // Changes

  /** Carries out what time has changed. */
  notice(nowMs: number): void {
    if (this.#state.kind === "half-open" && nowMs >= this.#state.expiresAtMs) this.#loseProbes(this.#state);
    if (this.#state.kind === "open" && nowMs >= this.#state.untilMs) this.#halfOpen("it has been open for its time");
  }

  #become(state: State, reason: string): void {
    const from = this.#state.kind;
    this.#state = state;
    this.#generation++;
    const untilMs = state.kind === "open" ? state.untilMs : undefined;
    this.#context.changed({ from, to: state.kind, reason, untilMs });
  }

  #openUntil(reason: string, fromMs: number, untilMs: number): void {
    this.#openedAtMs = fromMs;
    this.#become({ kind: "open", untilMs, reason }, reason);
  }

  #open(reason: string, fromMs: number, lastsMs?: number): void {
    if (this.#state.kind === "closed") {
      // As ejections do: each opening's time in play forgives one step of growth.
      const forgiven = Math.floor((fromMs - this.#closedAtMs) / this.#settings.resetTimeout);
      this.#level = Math.max(0, this.#level - forgiven);
    }
    const untilMs = fromMs + (lastsMs ?? this.#drawOpenMs());
    this.#level++;
    this.#openUntil(reason, fromMs, untilMs);
  }

  #halfOpen(reason: string): void {
    this.#become(new HalfOpen(this.#settings, this.#drawOpenMs()), reason);
  }

  #close(reason: string, nowMs: number): void {
    this.#failuresInRow = 0;
    this.#window?.clear(nowMs);
    this.#closedAtMs = nowMs;
    this.#become({ kind: "closed" }, reason);
  }

  #drawOpenMs(): number {
    return openMs(this.#settings, this.#level, this.#context.random);
  }

  // Closed

  #count(failed: boolean, slow: boolean, nowMs: number): void {
    this.#failuresInRow = failed ? this.#failuresInRow + 1 : 0;
    this.#window?.record(failed, slow, nowMs);
    if ((!failed && !slow) || nowMs < this.#warmUntilMs) return;
    const reason = tripReason(this.#settings, this.#failuresInRow, this.#window);
    if (reason !== undefined) this.#open(reason, nowMs);
  }

  // Half-open

  #admitsProbe(state: Exclude<State, { kind: "closed" }>, nowMs: number): boolean {
    if (nowMs < openUntilMs(state, nowMs)) return false;
    return state.kind === "open" || state.isLostAt(nowMs) || state.hasRoom;
  }

  #enterProbe(nowMs: number): void {
    this.notice(nowMs);
    if (this.#state.kind === "half-open") this.#state.enter(nowMs);
  }

  #loseProbes(state: HalfOpen): void {
    const { expiresAtMs, nextOpenMs } = state;
    const lost = state.isLostAt(expiresAtMs);
    state.losePending();
    // Should they report after all, it is too late.
    if (!lost) this.#generation++;
    else this.#open("a probe had no verdict in time", expiresAtMs, nextOpenMs);
  }

  #judgeProbe(state: HalfOpen, verdict: Verdict, slow: boolean, nowMs: number): void {
    const ended = state.judge(verdict === "worked" && slow ? "failed" : verdict);
    if (ended === "worked") this.#close(`${state.worked} of ${state.size} probes worked`, nowMs);
    else if (ended === "failed") this.#open(`${state.failed} of ${state.size} probes failed`, nowMs, state.nextOpenMs);
  }
}

/** Until when it is open in fact, given what time has done; −∞ if it is half-open. */
function openUntilMs(state: Exclude<State, { kind: "closed" }>, nowMs: number): number {
  if (state.kind === "open") return state.untilMs;
  return state.isLostAt(nowMs) ? state.openUntilMs : Number.NEGATIVE_INFINITY;
}
