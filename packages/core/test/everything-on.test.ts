// Everything on at once: health checks, outlier detection, breakers, limits, hedging, retries with budgets and a fallback,
// while backends fail, callers leave, backends come and go and options change. Whatever happens in whatever order, each
// call ends once, everything that was taken is given back, and a backend that works again gets calls.
import {
  type Attempt,
  type Balancer,
  type Breaker,
  type BreakerContext,
  type BudgetProvider,
  type CallOptions,
  type Check,
  concurrencyBudget,
  createRandom,
  type EjectionOptions,
  failurePercentage,
  fallbackWith,
  functionCheck,
  type HealthCheck,
  hedging,
  outlierDetection,
  type ReconfigurableOptions,
  rateLimit,
  roundRobin,
  successRate,
} from "@fairlead/core";
import type { VirtualClock } from "@fairlead/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { abortListeners, held, named, nothing, refused, reset, watch, world } from "./support/world.ts";

const BACKENDS = 4;
const PER_BACKEND = 2;
const TOGETHER = 6;

type Way = "ok" | "error" | "refused" | "busy" | "limited" | "hangs" | "deaf";

/** How a backend behaves; `bodyMs`: how long it goes on after its answer has begun. */
interface Behaviour {
  readonly way: Way;
  readonly afterMs: number;
  readonly bodyMs: number;
}

const behaviour: fc.Arbitrary<Behaviour> = fc.record({
  way: fc.constantFrom<Way>("ok", "ok", "ok", "error", "refused", "busy", "limited", "hangs", "deaf"),
  afterMs: fc.integer({ min: 0, max: 120 }),
  bodyMs: fc.constantFrom(0, 0, 50),
});

const member = fc.nat(BACKENDS - 1);

type CallStep = Pick<CallOptions<Answer>, "idempotent" | "kind" | "hashKey" | "deadlineMs" | "pinPolicy"> & {
  readonly pin: number | undefined;
  readonly derived: boolean;
  readonly abortAfterMs: number | undefined;
};

const call: fc.Arbitrary<CallStep> = fc.record({
  idempotent: fc.boolean(),
  kind: fc.constantFrom("request", "request", "request", "connection"),
  hashKey: fc.constantFrom(undefined, undefined, "key"),
  pin: fc.option(member, { nil: undefined, freq: 6 }),
  pinPolicy: fc.constantFrom("redistribute", "wait", "fail"),
  deadlineMs: fc.constantFrom(undefined, 40, 300),
  abortAfterMs: fc.option(fc.nat(200), { nil: undefined, freq: 4 }),
  derived: fc.boolean(),
});

type Change = (works: (id: string) => boolean, clock: VirtualClock) => ReconfigurableOptions;

const CHANGES: readonly Change[] = [
  () => ({ healthCheck: false }),
  (works, clock) => ({ healthCheck: checkOf(works, clock, "check-first") }),
  (works, clock) => ({ healthCheck: checkOf(works, clock, "up") }),
  () => ({ ejection: false }),
  () => ({ ejection: ejection(100) }),
  () => ({ ejection: ejection(50) }),
  () => ({ panicThreshold: 0 }),
  () => ({ panicThreshold: 50, panicMode: "fail-closed" }),
  () => ({ panicThreshold: 50, panicMode: "fail-open" }),
  () => ({ retry: false }),
  () => ({ retry: { limit: 2, delayMs: 20 } }),
  () => ({ queue: { size: 0 } }),
  () => ({ queue: { size: 50, timeoutMs: 100 } }),
  () => ({ hedge: false }),
  () => ({ hedge: hedging({ delayMs: 20, limit: 2, budget: false }) }),
  () => ({ limits: { rate: false } }),
  () => ({ limits: { rate: rateLimit({ perSecond: 100, burst: 5, delay: true }) } }),
  () => ({ limits: { rate: rateLimit({ perSecond: 50, burst: 2 }) } }),
];

type Step =
  | { readonly do: "call"; readonly call: CallStep; readonly times: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "behave"; readonly member: number; readonly behaviour: Behaviour }
  | { readonly do: "configure"; readonly change: number }
  | { readonly do: "drain" | "disable" | "enable" | "remove" | "restore"; readonly member: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({ do: fc.constant("call" as const), call, times: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(5, 20, 100, 700) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("behave" as const), member, behaviour }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("configure" as const), change: fc.nat(CHANGES.length - 1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("drain" as const, "disable", "enable", "enable", "remove", "restore"),
      member,
    }),
  },
);

/** Passes where `works` says so, after 10 ms. */
function checkOf(works: (id: string) => boolean, clock: VirtualClock, initial: "up" | "check-first"): HealthCheck {
  const run = ({ backend, signal }: Check): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = clock.schedule(10, () => resolve(works(backend.id)));
      signal.addEventListener("abort", () => timer.cancel());
    });
  return functionCheck(run, { intervalMs: 300, timeoutMs: 200, rise: 1, fall: 2, initial });
}

function ejection(maxEjectionPercent: number): EjectionOptions {
  return outlierDetection({
    consecutiveFailures: 2,
    baseMs: 200,
    maxMs: 1_000,
    intervalMs: 500,
    maxEjectionPercent,
    detectors: [
      successRate({ requestVolume: 3, minBackends: 2 }),
      failurePercentage({ threshold: 50, requestVolume: 3, minBackends: 2 }),
    ],
  });
}

/** What an attempt resolves to: each is returned or discarded, and only once. */
interface Answer {
  readonly status: number;
  uses: number;
  readonly end: () => void;
}

/** Counts what is taken of a budget and what comes back. */
class Ledger {
  taken = 0;
  back = 0;

  readonly budget: BudgetProvider = {
    name: "counted",
    create: (context) => {
      const inner = concurrencyBudget({ ratio: 0.2, minConcurrency: 2 }).create(context);
      return {
        deposit: (nowMs) => inner.deposit(nowMs),
        withdraw: (nowMs) => {
          const given = inner.withdraw(nowMs);
          if (given) this.taken++;
          return given;
        },
        giveBack: (nowMs) => {
          this.back++;
          inner.giveBack(nowMs);
        },
        ended: () => {
          this.back++;
          inner.ended();
        },
        available: (nowMs) => inner.available(nowMs),
      };
    },
  };
}

/** Opens for 300 ms after three failures in a row, then lets one probe in. */
class SimpleBreaker implements Breaker {
  /** Leases that have not reported, of all breakers. */
  static pending = 0;
  #state: Breaker["state"] = "closed";
  #failures = 0;
  #untilMs = 0;
  #probing = false;
  #generation = 0;
  readonly #context: BreakerContext;

  constructor(context: BreakerContext) {
    this.#context = context;
  }

  get state(): Breaker["state"] {
    return this.stateFor(this.#context.clock.now());
  }

  stateFor(nowMs: number): Breaker["state"] {
    return this.#state === "open" && nowMs >= this.#untilMs ? "half-open" : this.#state;
  }

  admits(nowMs: number): boolean {
    const state = this.stateFor(nowMs);
    return state === "closed" || (state === "half-open" && !this.#probing);
  }

  enter(nowMs: number): number {
    SimpleBreaker.pending++;
    if (this.stateFor(nowMs) === "half-open") {
      if (this.#state === "open") this.#become("half-open");
      this.#probing = true;
    }
    return this.#generation;
  }

  report(generation: number, { outcome }: { readonly outcome: string }, nowMs: number): void {
    SimpleBreaker.pending--;
    if (generation !== this.#generation) return;
    this.#probing = false;
    if (outcome === "success") {
      this.#failures = 0;
      if (this.#state === "half-open") this.#become("closed");
    } else if (outcome === "failure" || outcome === "unreached") {
      if (this.#state !== "half-open" && ++this.#failures < 3) return;
      this.#untilMs = nowMs + 300;
      this.#become("open");
    }
  }

  #become(state: Breaker["state"]): void {
    this.#state = state;
    this.#failures = 0;
    this.#probing = false;
    this.#generation++;
  }

  [Symbol.dispose](): void {}
}

/** How often each of these has happened: schedules without them would prove nothing. */
const seen: Record<string, number> = {};
const EVENTS = [
  "attemptHedged",
  "attemptRetried",
  "budgetExhausted",
  "callFellBack",
  "callShed",
  "backendPaused",
  "backendEjected",
  "ejectionSkipped",
  "backendReturned",
  "backendHealthChanged",
  "backendDrained",
] as const;

/** The balancer with everything on, its backends, and what is known of all calls. */
class Everything {
  readonly clock: VirtualClock;
  readonly balancer: Balancer;
  readonly derived: Balancer;
  readonly retries = new Ledger();
  readonly requeues = new Ledger();
  readonly signals: AbortSignal[] = [];
  readonly calls: Promise<void>[] = [];
  readonly answers: Answer[] = [];
  /** Attempts begun: all, and those that were the first of their call. */
  attempts = 0;
  firsts = 0;
  readonly ended = { fulfilled: 0, rejected: 0 };
  readonly wrong: string[] = [];
  readonly #behaviours = new Map<string, Behaviour>();
  readonly #removed = new Set<string>();

  constructor(seed: number, behaviours: readonly Behaviour[]) {
    for (const [index, of] of behaviours.entries()) this.#behaviours.set(idOf(index), of);
    SimpleBreaker.pending = 0;
    const { balancer, clock } = world(BACKENDS, {
      strategy: roundRobin(),
      random: createRandom(seed),
      attemptTimeoutMs: 80,
      deadlineMs: 600,
      ejection: ejection(100),
      breaker: { name: "simple", create: (context) => new SimpleBreaker(context) },
      limits: {
        maxConcurrent: TOGETHER,
        maxConcurrentPerBackend: PER_BACKEND,
        maxConnectionsPerBackend: PER_BACKEND,
        rate: rateLimit({ perSecond: 100, burst: 5, delay: true }),
      },
      queue: { size: 50, timeoutMs: 100 },
      retry: { limit: 2, delayMs: 20, maxRetryAfterMs: 100 },
      retryBudget: this.retries.budget,
      requeueBudget: this.requeues.budget,
      hedge: hedging({ delayMs: 20, limit: 2, budget: false }),
      fallback: fallbackWith(({ nowMs, signal }) => this.#fallBack(nowMs, signal)),
    });
    this.clock = clock;
    this.balancer = balancer;
    balancer.configure({ healthCheck: checkOf((id) => this.works(id), clock, "check-first") });
    this.derived = balancer.derive({ retry: { limit: 1 } });
    for (const event of EVENTS) balancer.on(event, () => void (seen[event] = (seen[event] ?? 0) + 1));
    balancer.on("callbackFailed", ({ where, error }) => this.wrong.push(`${where}: ${String(error)}`));
  }

  works(id: string): boolean {
    return this.#of(id).way === "ok";
  }

  #of(id: string): Behaviour {
    return this.#behaviours.get(id) ?? { way: "ok", afterMs: 5, bodyMs: 0 };
  }

  /** Every other one knows an answer, after a while. */
  #fallBack(nowMs: number, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const known = Math.floor(nowMs) % 2 === 0;
      const timer = this.clock.schedule(15, () => (known ? resolve(this.#answer(200)) : reject(reset())));
      signal.addEventListener("abort", () => timer.cancel());
    });
  }

  #answer(status: number, end: () => void = nothing): Answer {
    const answer = { status, uses: 0, end };
    this.answers.push(answer);
    return answer;
  }

  readonly #run = (attempt: Attempt): Promise<Answer> => {
    this.attempts++;
    if (attempt.number === 1) this.firsts++;
    this.#checkLimits();
    const { way, afterMs, bodyMs } = this.#of(attempt.backend.id);
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (way === "error") reject(reset());
        else if (way === "refused") reject(refused());
        else resolve(this.#answerOf(way, attempt, bodyMs));
      };
      const timer = way === "hangs" ? undefined : this.clock.schedule(way === "deaf" ? 400 : afterMs, settle);
      if (way === "deaf") return;
      attempt.onAbort((reason) => {
        timer?.cancel();
        reject(reason);
      });
    });
  };

  #answerOf(way: Way, attempt: Attempt, bodyMs: number): Answer {
    const status = way === "busy" ? 503 : way === "limited" ? 429 : 200;
    if (bodyMs === 0) return this.#answer(status);
    const release = attempt.hold();
    const timer = this.clock.schedule(bodyMs, () => release());
    const end = (): void => {
      timer.cancel();
      release();
    };
    attempt.onAbort(end);
    return this.#answer(status, end);
  }

  #checkLimits(): void {
    const { backends } = this.balancer.snapshot();
    let together = 0;
    for (const { id, requests, connections } of backends) {
      together += requests;
      if (requests > PER_BACKEND || connections > PER_BACKEND) this.wrong.push(`too much under way on ${id}`);
    }
    if (together > TOGETHER) this.wrong.push("too much under way");
  }

  call({ pin, derived, abortAfterMs, ...options }: CallStep): void {
    const controller = new AbortController();
    this.signals.push(controller.signal);
    if (abortAfterMs !== undefined) this.clock.schedule(abortAfterMs, () => controller.abort(new Error("left")));
    this.calls.push(
      this.#note(
        (derived ? this.derived : this.balancer).call(this.#run, {
          ...options,
          pinned: pin === undefined ? undefined : idOf(pin),
          signal: controller.signal,
          classify: (result) =>
            !result.failed && (result.value as Answer).status === 503
              ? { outcome: "overload", status: 503, retryAfterMs: 30 }
              : !result.failed && (result.value as Answer).status === 429
                ? { outcome: "overload", status: 429, retryAfterMs: 30 }
                : undefined,
          discard: (answer) => {
            answer.uses++;
            answer.end();
          },
        }),
      ),
    );
  }

  async #note(promise: Promise<Answer>): Promise<void> {
    try {
      (await promise).uses++;
      this.ended.fulfilled++;
    } catch {
      this.ended.rejected++;
    }
  }

  async play(current: Step): Promise<void> {
    const { balancer } = this;
    if (current.do === "call") for (let time = 0; time < current.times; time++) this.call(current.call);
    else if (current.do === "advance") await this.clock.advance(current.ms);
    else if (current.do === "behave") this.#behaviours.set(idOf(current.member), current.behaviour);
    else if (current.do === "configure")
      balancer.configure(CHANGES[current.change]?.((id) => this.works(id), this.clock) ?? {});
    else {
      const id = idOf(current.member);
      if (current.do === "remove") this.#removed.add(id);
      if (current.do === "restore") this.#removed.delete(id);
      if (current.do === "remove" || current.do === "restore")
        balancer.set(named(BACKENDS).filter((spec) => !this.#removed.has(spec.id)));
      else if (balancer.snapshot().backends.some((backend) => backend.id === id)) {
        if (current.do === "drain") balancer.drain(id, { deadlineMs: 200 }).catch(nothing);
        else balancer[current.do](id);
      }
    }
  }

  /** All is well again, though one backend is slower than a hedge waits. */
  async mend(): Promise<void> {
    this.#behaviours.clear();
    this.#behaviours.set("a", { way: "ok", afterMs: 30, bodyMs: 0 });
    this.balancer.set(named(BACKENDS));
    for (const { id } of named(BACKENDS)) {
      const state = this.balancer.snapshot().backends.find((backend) => backend.id === id)?.state;
      if (state !== "enabled") this.balancer.enable(id);
    }
    this.balancer.configure({
      queue: { size: 50, timeoutMs: 100 },
      limits: { rate: false },
      panicMode: "fail-open",
      slowStart: false,
      hedge: hedging({ delayMs: 20, limit: 2, budget: false }),
    });
    await this.clock.advance(1_500);
  }
}

function idOf(index: number): string {
  return named(BACKENDS)[index]?.id ?? "";
}

const AS_USUAL: CallStep = {
  idempotent: true,
  kind: "request",
  hashKey: undefined,
  pin: undefined,
  pinPolicy: undefined,
  deadlineMs: undefined,
  abortAfterMs: undefined,
  derived: false,
};

function attemptsOf(balancer: Balancer): ReadonlyMap<string, number> {
  return new Map(balancer.snapshot().backends.map(({ id, attempts }) => [id, attempts]));
}

/** What holds when the last call has ended. */
function expectEven(all: Everything): void {
  const { calls } = all.balancer.snapshot();
  expect(all.wrong).toEqual([]);
  expect(calls.calls).toBe(all.calls.length);
  expect(all.ended.fulfilled + all.ended.rejected).toBe(all.calls.length);
  expect(calls.succeeded + calls.failed + calls.aborted + calls.fallbacks).toBe(calls.calls);
  expect(all.attempts).toBe(all.firsts + calls.retries + calls.requeues + calls.hedges);
  expect(all.answers.filter(({ uses }) => uses !== 1)).toEqual([]);
  expect(SimpleBreaker.pending).toBe(0);
  expect([all.retries.taken, all.requeues.taken]).toEqual([all.retries.back, all.requeues.back]);
  expect(all.balancer.snapshot().waiting).toBe(0);
  expect(held(all.balancer)).toBe(0);
  expect(all.signals.filter((signal) => abortListeners(signal) > 0)).toEqual([]);
}

describe("with everything on", () => {
  const steps = fc.array(step, { minLength: 20, maxLength: 80 });
  const behaviours = fc.array(behaviour, { minLength: BACKENDS, maxLength: BACKENDS });
  const seed = fc.nat(1_000_000);

  test("all that was taken comes back, and every backend that works gets calls", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, behaviours, seed, async (schedule, first, random) => {
        const all = new Everything(random, first);
        for (const current of schedule) await all.play(current);
        await all.clock.advance(2_000);
        await Promise.all(all.calls);
        expectEven(all);
        await all.mend();
        const before = attemptsOf(all.balancer);
        for (let round = 0; round < 60; round++) {
          all.call(AS_USUAL);
          await all.clock.advance(20);
        }
        const { backends } = all.balancer.snapshot();
        expect(backends.filter(({ health, breaker }) => health !== "healthy" || breaker !== "closed")).toEqual([]);
        expect(backends.filter(({ id, attempts }) => attempts === before.get(id))).toEqual([]);
        await all.clock.advance(1_000);
        expectEven(all);
        await all.balancer.close();
        expect(all.clock.pending).toBe(0);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test("close ends all of it at any moment", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        behaviours,
        seed,
        fc.constantFrom(0, 0, 30, 1_000),
        async (schedule, first, random, drainMs) => {
          const all = new Everything(random, first);
          for (const current of schedule) await all.play(current);
          const closing = watch(all.balancer.close({ drainMs }));
          await all.clock.advance(drainMs);
          expect(closing.state).toBe("fulfilled");
          await Promise.all(all.calls);
          // A backend that hears of no abort answers all the same, and a caller may leave too late.
          await all.clock.advance(1_000);
          expectEven(all);
          expect(all.clock.pending).toBe(0);
        },
      ),
      { seed: 11, numRuns: 200 },
    );
  });

  test("all of it happens in these schedules", () => {
    expect(EVENTS.filter((event) => (seen[event] ?? 0) < 20)).toEqual([]);
  });
});
