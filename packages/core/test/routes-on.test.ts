// Everything that routes do, on at once: shares, keys, a mirror, limits that keep calls waiting, sessions and fallbacks,
// while backends fail, callers leave and balancers close. Whatever happens in whatever order, each call ends once, every
// place, lease and timer comes back, shares are exact, and a mirror changes nothing for those who call.
import {
  type Attempt,
  type Balancer,
  type CallOptions,
  createRandom,
  createRouter,
  fallbackTo,
  headerAffinity,
  hedging,
  type Router,
  type RouteSnapshot,
  rateLimit,
} from "@fairlead/core";
import type { VirtualClock } from "@fairlead/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { requestOf } from "./support/requests.ts";
import { abortListeners, held, nothing, refused, reset, settle, world } from "./support/world.ts";

const PERCENT: Readonly<Record<string, number>> = { one: 50, two: 30, three: 20 };
const TOGETHER = 4;
const MIRRORED = 40;

type Way = "ok" | "error" | "refused" | "hangs" | "deaf";

interface CallStep extends Pick<CallOptions<string>, "idempotent" | "kind" | "oneShot" | "deadlineMs" | "pinned"> {
  readonly way: Way;
  readonly afterMs: number;
  readonly bodyMs: number;
  readonly session: string | undefined;
  readonly abortAfterMs: number | undefined;
}

const callStep: fc.Arbitrary<CallStep> = fc.record({
  way: fc.constantFrom<Way>("ok", "ok", "ok", "error", "refused", "hangs", "deaf"),
  afterMs: fc.nat(120),
  bodyMs: fc.constantFrom(0, 30, 150),
  session: fc.constantFrom(undefined, undefined, "x", "y", "z"),
  abortAfterMs: fc.option(fc.nat(150), { nil: undefined, freq: 4 }),
  idempotent: fc.boolean(),
  kind: fc.constantFrom("request", "request", "connection"),
  oneShot: fc.boolean(),
  deadlineMs: fc.constantFrom(undefined, 40, 300),
  pinned: fc.constantFrom(undefined, undefined, "a"),
});

type Step =
  | { readonly do: "call"; readonly call: CallStep }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "close"; readonly balancer: string };

const steps = (closing: boolean): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.record({ do: fc.constant("call" as const), call: callStep }) },
      { weight: 6, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 10, 60, 300) }) },
      {
        weight: closing ? 1 : 0,
        arbitrary: fc.record({
          do: fc.constant("close" as const),
          balancer: fc.constantFrom("one", "two", "three", "mirror", "spare"),
        }),
      },
    ),
    { minLength: 10, maxLength: 60 },
  );

/** A router over three balancers, the third derived from the second, and all that is known of its calls. */
class Routes {
  readonly clock: VirtualClock;
  readonly balancers: Readonly<Record<string, Balancer>>;
  readonly router: Router;
  readonly calls: Promise<void>[] = [];
  readonly signals: AbortSignal[] = [];
  readonly wrong: string[] = [];
  /** Calls without a key, by the name of their share, and all those that could be mirrored. */
  readonly drawn: Record<string, number> = { one: 0, two: 0, three: 0 };
  repeatable = 0;
  ended = 0;

  constructor(seed: number, percent: number) {
    const { balancer: one, clock } = world(2, { name: "one", ...this.#options(seed) });
    const make = (name: string, more = {}): Balancer =>
      world(2, { name, clock, ...this.#options(seed), ...more }).balancer;
    const spare = make("spare");
    const two = make("two", { fallback: fallbackTo(spare) });
    const three = make("three");
    const mirror = make("mirror", { attemptTimeoutMs: 100 });
    this.clock = clock;
    this.balancers = { one, two, three: three.derive({ retry: false }), root: three, spare, mirror };
    for (const balancer of Object.values(this.balancers)) {
      balancer.on("callbackFailed", ({ where, error }) => this.wrong.push(`${where}: ${String(error)}`));
    }
    this.router = createRouter({
      random: createRandom(seed),
      routes: [
        {
          to: ["one", "two", "three"].map((name) => ({ to: this.#of(name), percent: PERCENT[name] ?? 0 })),
          splitBy: (request) => request.header("x-session"),
          affinity: headerAffinity("x-session"),
          limits: { maxConcurrent: TOGETHER, rate: rateLimit({ perSecond: 100, burst: 3, delay: true }) },
          ...(percent === 0 ? {} : { mirror: { to: mirror, percent, maxConcurrent: 2 } }),
        },
      ],
    });
  }

  #options(seed: number) {
    return {
      random: createRandom(seed),
      attemptTimeoutMs: 80,
      deadlineMs: 600,
      ejection: false,
      limits: { maxConcurrentPerBackend: 2 },
      queue: { size: 20, timeoutMs: 100 },
      retry: { limit: 2, delayMs: 20 },
      hedge: hedging({ delayMs: 20, budget: false }),
    } as const;
  }

  #of(name: string): Balancer {
    const balancer = this.balancers[name];
    if (balancer === undefined) throw new Error(`there is no balancer ${name}`);
    return balancer;
  }

  get route(): RouteSnapshot {
    const [route] = this.router.snapshot().routes;
    if (route === undefined) throw new Error("there is a route");
    return route;
  }

  call({ way, afterMs, bodyMs, session, abortAfterMs, ...options }: CallStep): void {
    const request = requestOf("http://router/", session === undefined ? {} : { headers: { "x-session": session } });
    const keyed = this.router.explain(request).upstream;
    const match = this.router.route(request);
    if (match === undefined) throw new Error("the route takes everything");
    const name = Object.keys(PERCENT).find((key) => this.#of(key) === match.balancer) ?? "";
    if (keyed === null) this.drawn[name] = (this.drawn[name] ?? 0) + 1;
    else if (keyed !== match.balancer.name) this.wrong.push(`${keyed} was promised, ${name} got it`);
    if (!options.oneShot && options.kind === "request") this.repeatable++;
    const controller = new AbortController();
    this.signals.push(controller.signal);
    if (abortAfterMs !== undefined) this.clock.schedule(abortAfterMs, () => controller.abort(new Error("left")));
    const run = (attempt: Attempt): Promise<string> => this.#attempt(attempt, way, afterMs, bodyMs);
    const hashKey = match.affinity?.keyOf?.(request);
    this.calls.push(this.#note(match.call(run, { ...options, hashKey, signal: controller.signal })));
  }

  #attempt(attempt: Attempt, way: Way, afterMs: number, bodyMs: number): Promise<string> {
    if ((this.route.underWay ?? 0) > TOGETHER) this.wrong.push("too much under way");
    return new Promise((resolve, reject) => {
      const settleIt = (): void => {
        if (way === "error") reject(reset());
        else if (way === "refused") reject(refused());
        else {
          const release = attempt.hold();
          const timer = this.clock.schedule(bodyMs, () => release());
          attempt.onAbort(() => {
            timer.cancel();
            release();
          });
          resolve(attempt.backend.id);
        }
      };
      const timer = way === "hangs" ? undefined : this.clock.schedule(way === "deaf" ? 400 : afterMs, settleIt);
      if (way === "deaf") return;
      attempt.onAbort((reason) => {
        timer?.cancel();
        reject(reason);
      });
    });
  }

  async #note(promise: Promise<string>): Promise<void> {
    await promise.catch(nothing);
    this.ended++;
  }

  async play(schedule: readonly Step[]): Promise<void> {
    for (const step of schedule) {
      if (step.do === "call") this.call(step.call);
      else if (step.do === "advance") await this.clock.advance(step.ms);
      else this.#of(step.balancer).close({ drainMs: 20 }).catch(nothing);
    }
    await this.clock.advance(3_000);
    await settle();
  }

  /** What the callers' balancers have counted. */
  counted(): unknown {
    return ["one", "two", "root", "spare"].map((name) => {
      const { calls, backends, limits } = this.#of(name).snapshot();
      return [calls, limits.shed, backends.map(({ attempts, successes, failures }) => [attempts, successes, failures])];
    });
  }

  expectEven(): void {
    const { underWay, matched, shares, mirror } = this.route;
    expect(this.wrong).toEqual([]);
    expect(this.ended).toBe(this.calls.length);
    expect([matched, underWay, mirror?.underWay ?? 0]).toEqual([this.calls.length, 0, 0]);
    expect(shares.reduce((sum, { requests }) => sum + requests, 0)).toBe(matched);
    const unkeyed = Object.values(this.drawn).reduce((sum, count) => sum + count, 0);
    for (const [name, count] of Object.entries(this.drawn))
      expect(Math.abs(count - (unkeyed * (PERCENT[name] ?? 0)) / 100)).toBeLessThan(1);
    expect((mirror?.mirrored ?? 0) + (mirror?.dropped ?? 0)).toBeLessThanOrEqual(
      Math.ceil((this.repeatable * MIRRORED) / 100),
    );
    expect(this.signals.filter((signal) => abortListeners(signal) > 0)).toEqual([]);
  }

  async end(): Promise<void> {
    await Promise.all(Object.values(this.balancers).map((balancer) => balancer.close()));
    await settle();
    for (const name of ["one", "two", "root", "spare", "mirror"]) expect(held(this.#of(name))).toBe(0);
    expect(this.clock.pending).toBe(0);
  }
}

test("every call ends once, all that was taken comes back, and shares are exact", { timeout: 60_000 }, async () => {
  let mirrored = 0;
  let shed = 0;
  await fc.assert(
    fc.asyncProperty(steps(true), fc.nat(1_000_000), async (schedule, seed) => {
      const routes = new Routes(seed, MIRRORED);
      await routes.play(schedule);
      routes.expectEven();
      mirrored += routes.route.mirror?.mirrored ?? 0;
      shed += routes.route.shed.concurrency + routes.route.shed.rate;
      await routes.end();
    }),
    { seed: 5, numRuns: 200 },
  );
  // Schedules without these would prove nothing.
  expect(Math.min(mirrored, shed)).toBeGreaterThan(100);
});

test("a mirror changes nothing that callers or their balancers see", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps(false), fc.nat(1_000_000), async (schedule, seed) => {
      const [without, withMirror] = [new Routes(seed, 0), new Routes(seed, MIRRORED)];
      for (const routes of [without, withMirror]) {
        await routes.play(schedule);
        routes.expectEven();
      }
      expect(withMirror.counted()).toEqual(without.counted());
      expect(withMirror.route.shares).toEqual(without.route.shares);
      await Promise.all([without.end(), withMirror.end()]);
    }),
    { seed: 6, numRuns: 100 },
  );
});
