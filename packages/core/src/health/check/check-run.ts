import type { Timer } from "../../clock.ts";
import { drawOfKey } from "../../view/draw.ts";
import { afterCheck, type Finding, type Health, UP } from "../health.ts";
import { CheckAttempt, type Probe } from "./check-attempt.ts";
import { DueTimes } from "./due-times.ts";
import type { CheckTarget, HealthCheckContext, HealthCheckRun } from "./health-check.ts";
import { reasonOf } from "./reason.ts";
import type { CheckScheduleSettings } from "./schedule.ts";

/**
 * Checks begin together at ticks: 10 wake-ups a second, however many backends there are, and with short intervals as many
 * more as keep a check within 2 % of its time.
 */
const LONGEST_TICK_MS = 100;
const TICKS_PER_INTERVAL = 50;
/** A backend that takes no calls until it is checked is checked within this time. */
const FIRST_CHECK_MS = 1_000;
/** A timer that is this late says that the process stood still, not that the backend did. */
const STALL_MS = 50;

const PENDING: Health = { kind: "pending", reason: "not checked yet" };
const DOWN: Health = { kind: "down", reason: "no check has passed yet", failures: 0, successes: 0 };
const INITIAL = { up: UP, down: DOWN, "check-first": PENDING };

/** The checks of one backend. */
class Entry {
  dueMs = 0;
  gone = false;
  /** Where in each interval it is checked, 0…1: hashed, so that neither the backends of a set nor a fleet go in step. */
  readonly phase: number;
  readonly target: CheckTarget;
  current: CheckAttempt | undefined = undefined;
  timer: Timer | undefined = undefined;
  /** Verdicts on calls at the last check. */
  successes = 0;
  failures = 0;

  constructor(target: CheckTarget, phase: number) {
    this.target = target;
    this.phase = phase;
    this.readCounters();
  }

  /** Whether calls have succeeded since the last check, or what stood for it, and none has failed. */
  readCounters(): boolean {
    const { successes, failures, unreached } = this.target.counters;
    const works = successes > this.successes && failures + unreached === this.failures;
    this.successes = successes;
    this.failures = failures + unreached;
    return works;
  }
}

/** Checks the backends of one upstream: one timer for all of them, and one more for each check under way. */
export class CheckRun implements HealthCheckRun {
  readonly #context: HealthCheckContext;
  readonly #probe: Probe;
  readonly #settings: CheckScheduleSettings;
  readonly #entries = new Map<CheckTarget, Entry>();
  readonly #due: DueTimes<Entry>;
  /** Of this process and run: its checks come at other times than those of the rest of the fleet. */
  readonly #seed: number;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #underWay = 0;

  constructor(context: HealthCheckContext, probe: Probe, settings: CheckScheduleSettings) {
    this.#context = context;
    this.#probe = probe;
    this.#settings = settings;
    this.#seed = context.random.next();
    const shortestMs = Math.min(settings.intervalMs, settings.fastIntervalMs, settings.downIntervalMs);
    this.#due = new DueTimes(Math.min(LONGEST_TICK_MS, shortestMs / TICKS_PER_INTERVAL));
  }

  add(target: CheckTarget): void {
    if (target.health.kind === "unchecked") this.#context.report(target, { health: INITIAL[this.#settings.initial] });
    const entry = new Entry(target, drawOfKey(`${this.#seed}/${target.id}`, undefined) / 100);
    this.#entries.set(target, entry);
    const intervalMs = this.#intervalOf(target);
    const withinMs = target.health.kind === "up" ? intervalMs : Math.min(intervalMs, FIRST_CHECK_MS);
    entry.dueMs = this.#context.clock.now() + entry.phase * withinMs;
    this.#due.add(entry);
    this.#arm();
  }

  remove(target: CheckTarget): void {
    const entry = this.#entries.get(target);
    if (entry === undefined) return;
    this.#entries.delete(target);
    entry.gone = true;
    this.#end(entry)?.abort();
    this.#arm();
  }

  close(): void {
    this.#timer?.cancel();
    // Nothing is earlier.
    this.#timerAtMs = Number.NEGATIVE_INFINITY;
    for (const target of this.#entries.keys()) this.remove(target);
  }

  /** Waits for the next check that is due; while as many are under way as may be, for the end of one. */
  #arm(): void {
    const atMs = this.#due.nextMs;
    if (atMs >= this.#timerAtMs || this.#underWay >= this.#settings.maxParallel) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.#context.clock.now());
    this.#timer = this.#context.clock.schedule(delayMs, this.#tick, { background: true });
  }

  readonly #tick = (): void => {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#context.clock.now();
    while (this.#underWay < this.#settings.maxParallel) {
      const entry = this.#due.take(nowMs);
      if (entry === undefined) break;
      if (!entry.gone) this.#begin(entry, nowMs);
    }
    this.#arm();
  };

  #begin(entry: Entry, nowMs: number): void {
    const { target } = entry;
    const { liveSuccesses, timeoutMs } = this.#settings;
    // After a sleep of the machine all are due at once: they go back to their places in the interval.
    const intervalMs = this.#intervalOf(target);
    if (nowMs - entry.dueMs > intervalMs) entry.dueMs = nowMs - (1 - entry.phase) * intervalMs;
    const works = entry.readCounters();
    if (liveSuccesses && works && target.health.kind === "up" && target.health.failures === 0) {
      this.#plan(entry, nowMs);
      return;
    }
    const check = new CheckAttempt(target, nowMs);
    entry.current = check;
    this.#underWay++;
    this.#limit(entry, check, timeoutMs);
    this.#ask(entry, check);
  }

  #ask(entry: Entry, check: CheckAttempt): void {
    const failed = (error: unknown): void => this.#found(entry, check, { passed: false, reason: reasonOf(error) });
    try {
      this.#probe(check).then((finding) => this.#found(entry, check, finding), failed);
    } catch (error) {
      // One that throws instead of rejecting is no different.
      failed(error);
    }
  }

  /**
   * If the process stood still when the time was over, the answer may have come: such a check gets that time on top. Once,
   * so that a process that is always late does not wait for ever.
   */
  #limit(entry: Entry, check: CheckAttempt, delayMs: number, extended = false): void {
    const { clock } = this.#context;
    const over = (): void => {
      const lateMs = clock.now() - check.startedAtMs - delayMs;
      if (!extended && lateMs > STALL_MS) {
        this.#limit(entry, check, lateMs, true);
        return;
      }
      this.#found(entry, check, { passed: false, reason: `no answer in ${this.#settings.timeoutMs} ms` });
      check.abort();
    };
    entry.timer = clock.schedule(delayMs, over, { background: true });
  }

  /** What is found too late, or about a backend that has left meanwhile, is not heard. */
  #found(entry: Entry, check: CheckAttempt, finding: Finding): void {
    if (entry.current !== check) return;
    this.#end(entry);
    const nowMs = this.#context.clock.now();
    if (!check.outdated) this.#report(check, finding, nowMs);
    // A listener may have taken it out.
    if (!entry.gone) this.#plan(entry, nowMs, check.outdated);
    this.#arm();
  }

  #report({ backend, startedAtMs, epoch }: CheckAttempt, finding: Finding, nowMs: number): void {
    const { passed, reason, certificateExpiresAt } = finding;
    const young = !passed && nowMs - backend.joinedAtMs < this.#context.graceMs;
    const health = young ? backend.health : afterCheck(backend.health, finding, this.#settings);
    const { unejects } = this.#settings;
    const check = { passed, reason, certificateExpiresAt, startedAtMs, endedAtMs: nowMs, epoch, unejects };
    this.#context.report(backend, { health, check });
  }

  #end(entry: Entry): CheckAttempt | undefined {
    const check = entry.current;
    if (check === undefined) return undefined;
    entry.current = undefined;
    entry.timer?.cancel();
    this.#underWay--;
    return check;
  }

  /** The next check comes one interval after the last was due, so that it keeps its place in the interval; or at once. */
  #plan(entry: Entry, nowMs: number, atOnce = false): void {
    const intervalMs = this.#intervalOf(entry.target);
    const { jitter } = this.#settings;
    const varied = jitter === 0 ? intervalMs : intervalMs * (1 + jitter * (2 * this.#context.random.next() - 1));
    entry.dueMs = atOnce ? nowMs : Math.max(entry.dueMs + varied, nowMs);
    this.#due.add(entry);
  }

  #intervalOf({ health }: CheckTarget): number {
    const { intervalMs, fastIntervalMs, downIntervalMs } = this.#settings;
    if (health.kind === "up") return health.failures === 0 ? intervalMs : fastIntervalMs;
    return health.kind === "down" && health.successes === 0 ? downIntervalMs : fastIntervalMs;
  }
}
