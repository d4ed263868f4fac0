// What outsiders build on the public interfaces alone: nothing is imported but the package's own entries.
import {
  type AcquireOptions,
  type Attachment,
  type Attempt,
  type Backend,
  type BackendSpec,
  type Balancer,
  type BalancerEvents,
  type BalancerSnapshot,
  type Breaker,
  type BreakerContext,
  type BreakerProvider,
  type BreakerState,
  type CallOptions,
  type Classifier,
  type Clock,
  type ControlStore,
  createBalancer,
  createRandom,
  type Discovery,
  type DiscoveryUpdate,
  type FairleadError,
  first,
  type Lease,
  leastRequest,
  type Outcome,
  type PickExplanation,
  type Picker,
  type PickRequest,
  peakEwma,
  type Random,
  type Report,
  random,
  roundRobin,
  type Strategy,
  type TelemetrySection,
  type View,
} from "@fairlead/core";
import { type VirtualClock, virtualClock } from "@fairlead/core/testing";
import { describe, expect, expectTypeOf, test } from "vitest";

const THREE = [
  { id: "a", url: "http://a.test" },
  { id: "b", url: "http://b.test" },
  { id: "c", url: "http://c.test" },
];
const ONE = THREE.slice(0, 1);

const nothing = (): void => {};

function gate<T>(): { readonly promise: Promise<T>; open(value: T): void; fail(error: unknown): void } {
  let open: (value: T) => void = nothing;
  let fail: (error: unknown) => void = nothing;
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

function of(balancer: Balancer, id: string): BalancerSnapshot["backends"][number] {
  const found = balancer.snapshot().backends.find((backend) => backend.id === id);
  if (found === undefined) throw new Error(`no backend ${id}`);
  return found;
}

function failuresOf(balancer: Balancer): { where: string; error: unknown }[] {
  const seen: { where: string; error: unknown }[] = [];
  balancer.on("callbackFailed", ({ where, error }) => {
    seen.push({ where, error });
  });
  return seen;
}

/** Never called: it is what must not compile. */
function misuse(backend: Backend, lease: Lease, snapshot: BalancerSnapshot): void {
  // @ts-expect-error: a weight is set by `setWeight`
  backend.weight = 2;
  // @ts-expect-error: a lease belongs to its backend
  lease.backend = backend;
  // @ts-expect-error: a snapshot is a picture
  snapshot.backends.push();
}

describe("the types", () => {
  test("a call has the type of what its function resolves to", () => {
    const balancer = createBalancer({ name: "orders", backends: ["http://a.test"], clock: virtualClock() });
    const call = (run: (attempt: Attempt) => Promise<7>): Promise<7> =>
      balancer.call(run, { discard: (_value: 7) => {} });
    expectTypeOf(call).returns.resolves.toEqualTypeOf<7>();
    expectTypeOf<Balancer["call"]>().toBeCallableWith(async (attempt: Attempt) => attempt.number);
    expectTypeOf<CallOptions<string>["discard"]>().toEqualTypeOf<((value: string) => void) | undefined>();
    expect(balancer.name).toBe("orders");
  });

  test("leases can be absent now, and are disposable", () => {
    expectTypeOf<Balancer["tryAcquire"]>().returns.toEqualTypeOf<Lease | undefined>();
    expectTypeOf<Balancer["acquire"]>().returns.resolves.toEqualTypeOf<Lease>();
    expectTypeOf<Balancer["acquire"]>().parameters.toEqualTypeOf<
      [request?: PickRequest | undefined, options?: AcquireOptions | undefined]
    >();
    expectTypeOf<Lease>().toExtend<Disposable>();
    expectTypeOf<Breaker>().toExtend<Disposable>();
    expectTypeOf<Balancer>().toExtend<AsyncDisposable>();
  });

  test("outcomes, breaker states and errors are closed sets", () => {
    expectTypeOf<Outcome>().toEqualTypeOf<"success" | "failure" | "overload" | "unreached" | "ignored">();
    expectTypeOf<BreakerState>().toEqualTypeOf<"closed" | "open" | "half-open">();
    expectTypeOf<FairleadError>().toExtend<Error>();
    expectTypeOf<"FAIRLEAD_ERR_CLOSED">().toExtend<FairleadError["code"]>();
    expectTypeOf<Classifier>().returns.toEqualTypeOf<Report | Outcome | undefined>();
  });

  test("every optional property may be undefined, in options, specifications, requests and reports", () => {
    expectTypeOf<{ url: string; weight: undefined; id: undefined; tls: undefined }>().toExtend<BackendSpec>();
    expectTypeOf<{ kind: undefined; hashKey: undefined; tried: undefined }>().toExtend<PickRequest>();
    expectTypeOf<{ outcome: "success"; status: undefined; retryAfterMs: undefined }>().toExtend<Report>();
    expectTypeOf<{ signal: undefined; retry: undefined; deadlineMs: undefined }>().toExtend<CallOptions<unknown>>();
    expectTypeOf<{ drainMs: undefined }>().toExtend<NonNullable<Parameters<Balancer["close"]>[0]>>();
    expectTypeOf<{ deadlineMs: undefined }>().toExtend<NonNullable<Parameters<Balancer["drain"]>[1]>>();
    expectTypeOf<{ timeoutMs: undefined }>().toExtend<NonNullable<Parameters<Balancer["ready"]>[0]>>();
  });

  test("what the balancer hands out cannot be written to", () => {
    expectTypeOf(misuse).returns.toBeVoid();
    expect(misuse).toBeTypeOf("function");
  });

  test("events carry records, whose times say that they are", () => {
    expectTypeOf<BalancerEvents["backendEjected"]>().parameter(0).toEqualTypeOf<
      { readonly upstream: string; readonly backend: string; readonly kind: string; readonly reason: string } & {
        readonly untilAt: number;
      }
    >();
    expectTypeOf<BalancerEvents["callbackFailed"]>().parameter(0).toHaveProperty("where").toBeString();
    expectTypeOf<Balancer["on"]>().returns.toEqualTypeOf<() => void>();
    expectTypeOf<Balancer["explain"]>().returns.toEqualTypeOf<PickExplanation>();
  });

  test("an async generator is a discovery, plain objects are clock, randomness, control, attachment and section", () => {
    const discovery = {
      name: "mine",
      async *watch({ signal }: Parameters<Discovery["watch"]>[0]) {
        if (!signal.aborted) yield { backends: [{ url: "http://a.test" }] };
      },
    };
    expectTypeOf(discovery).toExtend<Discovery>();
    expectTypeOf<{ error: unknown }>().toExtend<DiscoveryUpdate>();
    expectTypeOf<{ next(): number }>().toExtend<Random>();
    expectTypeOf<VirtualClock>().toExtend<Clock>();
    expectTypeOf<{ name: string; write(): Promise<void> }>().toExtend<ControlStore>();
    expectTypeOf<{ close(): void }>().toExtend<Attachment>();
    expectTypeOf<{ name: string; snapshot(): { depth: number } }>().toExtend<TelemetrySection>();
    expect(discovery.name).toBe("mine");
  });
});

// A queueing limiter

/** Admits up to `limit` attempts without a verdict to each backend; `acquire` and `call` queue for the places. */
function concurrencyLimit(
  limit: number,
): BreakerProvider & { readonly most: Map<string, number>; readonly balance: () => number } {
  const most = new Map<string, number>();
  let entered = 0;
  let reported = 0;
  return {
    name: "concurrency-limit",
    most,
    balance: () => entered - reported,
    create: ({ backend }): Breaker => {
      let taken = 0;
      return {
        state: "closed",
        admits: () => taken < limit,
        enter: () => {
          entered++;
          taken++;
          most.set(backend, Math.max(taken, most.get(backend) ?? 0));
          return 0;
        },
        report: () => {
          reported++;
          taken--;
        },
        [Symbol.dispose]: () => {},
      };
    },
  };
}

const limited = (limit: number, backends: BackendSpec[] = THREE) => {
  const clock = virtualClock();
  const breaker = concurrencyLimit(limit);
  const balancer = createBalancer({
    name: "orders",
    backends,
    breaker,
    clock,
    random: createRandom(1),
    strategy: first(),
  });
  return { clock, breaker, balancer };
};

describe("a queueing limiter, as a breaker", () => {
  test("admits up to its limit to each backend, and not one more", () => {
    const { balancer, breaker } = limited(2);
    const leases = Array.from({ length: 6 }, () => balancer.tryAcquire());
    expect(leases.map((lease) => lease?.backend.id)).toEqual(["a", "a", "b", "b", "c", "c"]);
    expect(balancer.tryAcquire()).toBeUndefined();
    leases[3]?.release();
    expect(balancer.tryAcquire()?.backend.id).toBe("b");
    expect([...breaker.most.values()]).toEqual([2, 2, 2]);
  });

  test("queued calls and leases are served in the order they came, each as soon as a place is free", async () => {
    const { balancer, clock } = limited(1, ONE);
    const running = balancer.tryAcquire();
    const order: string[] = [];
    const bodies = [gate<void>(), gate<void>()];
    const calls = [
      balancer.call(() => {
        order.push("call 1");
        return bodies[0]?.promise ?? Promise.resolve();
      }),
      balancer.acquire().then((lease) => {
        order.push("lease 2");
        return lease;
      }),
      balancer.call(() => {
        order.push("call 3");
        return bodies[1]?.promise ?? Promise.resolve();
      }),
    ] as const;
    await clock.advance(0);
    expect(order).toEqual([]);
    expect(balancer.snapshot().waiting).toBe(3);

    const before = clock.now();
    running?.release();
    await clock.advance(0);
    expect(order).toEqual(["call 1"]);
    bodies[0]?.open();
    await calls[0];
    const lease = await calls[1];
    await clock.advance(0);
    expect(order).toEqual(["call 1", "lease 2"]);
    lease.settle({ outcome: "success" });
    lease.release();
    await clock.advance(0);
    expect(order).toEqual(["call 1", "lease 2", "call 3"]);
    expect(clock.now()).toBe(before);
    bodies[1]?.open();
    await calls[2];
    expect(clock.pending).toBe(0);
  });

  test("a verdict frees the place at once, also while the body still streams", async () => {
    const { balancer, clock } = limited(1, ONE);
    const streaming = balancer.tryAcquire();
    let served = false;
    const waiting = balancer.acquire().then((lease) => {
      served = true;
      return lease;
    });
    await clock.advance(0);
    streaming?.settle({ outcome: "success" });
    // `report` has opened the gate: that is known without `changed`, and needs no time to pass.
    await clock.advance(0);
    expect(served).toBe(true);
    (await waiting).release();
    streaming?.release();
  });

  test("takes and frees each place exactly once, however attempts end", async () => {
    const { balancer, breaker, clock } = limited(2);
    const controller = new AbortController();
    const never = new Promise<never>(() => {});
    const calls = [
      balancer.call(async () => 1),
      balancer.call(async () => Promise.reject(new Error("broken"))),
      balancer.call(() => {
        throw new Error("synchronous");
      }),
      balancer.call(() => never, { signal: controller.signal }),
      balancer.call(() => never, { attemptTimeoutMs: 50 }),
      balancer.call(async (attempt) => {
        attempt.hold();
        return 1;
      }),
    ];
    const settled = Promise.allSettled(calls);
    controller.abort();
    const unsettled = balancer.tryAcquire({ pinned: "c" });
    unsettled?.release();
    unsettled?.release();
    const twice = balancer.tryAcquire({ pinned: "c" });
    twice?.settle({ outcome: "failure" });
    twice?.settle({ outcome: "success" });
    twice?.release();
    await clock.advance(60);
    await settled;
    expect(breaker.balance()).toBe(0);
    let left = -1;
    balancer.attach({
      close: () => {
        left = balancer.snapshot().backends.reduce((sum, { requests }) => sum + requests, 0);
      },
    });
    await Promise.all([balancer.close({ drainMs: 1 }), clock.advance(10)]);
    expect(breaker.balance()).toBe(0);
    expect(left).toBe(0);
  });

  test("a limit on whole bodies can be had from a strategy, by leases held", async () => {
    const onePerBackend: Strategy = {
      name: "one-at-a-time",
      build: ({ backends, kind }) => ({
        pick: (request, nowMs) => backends.find((it) => it.inFlight(kind) < 1 && it.admits(request, nowMs)),
      }),
    };
    const clock = virtualClock();
    const balancer = createBalancer({ name: "orders", backends: ONE, strategy: onePerBackend, clock });
    let bodyEnds: () => void = nothing;
    await balancer.call(async (attempt) => {
      bodyEnds = attempt.hold();
    });
    let served = false;
    const second = balancer.call(async () => {
      served = true;
    });
    await clock.advance(100);
    expect(served).toBe(false);
    const before = clock.now();
    bodyEnds();
    await second;
    expect(clock.now()).toBe(before);
  });
});

// A probe breaker

type ProbeState =
  | { readonly kind: "closed"; failures: number }
  | { readonly kind: "open"; readonly untilMs: number }
  | { readonly kind: "half-open" };

/** Opens after `threshold` failures in a row; after `openMs`, one probe decides. Reports of older generations are void. */
class ProbeBreaker implements Breaker {
  #state: ProbeState = { kind: "closed", failures: 0 };
  #generation = 0;
  #probing = false;
  readonly #context: BreakerContext;
  readonly #threshold: number;
  readonly #openMs: number;
  disposed = 0;

  constructor(context: BreakerContext, threshold: number, openMs: number) {
    this.#context = context;
    this.#threshold = threshold;
    this.#openMs = openMs;
  }

  get state(): BreakerState {
    return this.#state.kind;
  }

  admits(nowMs: number): boolean {
    if (this.#state.kind === "closed") return true;
    if (this.#state.kind === "open") return nowMs >= this.#state.untilMs;
    return !this.#probing;
  }

  enter(nowMs: number): number {
    if (this.#state.kind === "open" && nowMs >= this.#state.untilMs) this.#become({ kind: "half-open" });
    if (this.#state.kind === "half-open") this.#probing = true;
    return this.#generation;
  }

  report(generation: number, { outcome }: Report, nowMs: number): void {
    if (generation !== this.#generation) return;
    this.#probing = false;
    if (outcome === "success") this.#become({ kind: "closed", failures: 0 });
    else if (outcome === "failure" || outcome === "unreached") this.#failed(nowMs);
  }

  #failed(nowMs: number): void {
    if (this.#state.kind === "closed" && ++this.#state.failures < this.#threshold) return;
    this.#become({ kind: "open", untilMs: nowMs + this.#openMs });
    this.#context.clock.schedule(this.#openMs, () => this.#context.changed(), { background: true });
  }

  #become(state: ProbeState): void {
    if (state.kind !== this.#state.kind) this.#generation++;
    this.#state = state;
  }

  [Symbol.dispose](): void {
    this.disposed++;
  }
}

const guarded = (backends: BackendSpec[] = ONE) => {
  const clock = virtualClock();
  const made = new Map<string, ProbeBreaker>();
  const breaker: BreakerProvider = {
    name: "probe",
    create: (context) => {
      const it = new ProbeBreaker(context, 3, 500);
      made.set(context.backend, it);
      return it;
    },
  };
  const balancer = createBalancer({
    name: "orders",
    backends,
    breaker,
    clock,
    random: createRandom(1),
    strategy: first(),
    ejection: false,
    retry: false,
  });
  return { clock, balancer, made };
};

const trip = (balancer: Balancer, id = "a"): void => {
  for (let failure = 0; failure < 3; failure++) {
    const lease = balancer.tryAcquire({ pinned: id });
    lease?.settle({ outcome: "failure" });
    lease?.release();
  }
};

describe("a probe breaker", () => {
  test("open: no attempt reaches the backend, and explain and snapshot say why", () => {
    const { balancer } = guarded();
    trip(balancer);
    expect(balancer.tryAcquire()).toBeUndefined();
    expect(of(balancer, "a").breaker).toBe("open");
    expect(balancer.explain().backends[0]).toMatchObject({ admitted: false, reason: "breaker open" });
    expect(balancer.explain().choice).toBeNull();
  });

  test("open: calls go to the others", async () => {
    const { balancer } = guarded(THREE);
    trip(balancer);
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("b");
  });

  test("half-open: of many calls waiting, exactly one probes; when it works all the others follow at once", async () => {
    const { balancer, clock } = guarded();
    trip(balancer);
    await clock.advance(499);
    await expect(balancer.call(async () => "too early")).rejects.toThrow("the breakers of all backends are open");
    await clock.advance(1);
    const probe = gate<string>();
    let running = 0;
    let most = 0;
    const calls = Array.from({ length: 20 }, (_, index) =>
      balancer.call(async () => {
        most = Math.max(most, ++running);
        return index === 0 ? probe.promise : "followed";
      }),
    );
    await clock.advance(0);
    expect(running).toBe(1);
    expect(of(balancer, "a").breaker).toBe("half-open");
    await clock.advance(200);
    expect(most).toBe(1);
    probe.open("probed");
    await clock.advance(0);
    expect(await Promise.all(calls)).toEqual(["probed", ...Array.from({ length: 19 }, () => "followed")]);
    expect(of(balancer, "a").breaker).toBe("closed");
  });

  test("half-open: a probe that fails opens it again", async () => {
    const { balancer, clock } = guarded();
    trip(balancer);
    await clock.advance(500);
    await expect(balancer.call(async () => Promise.reject(new Error("still broken")))).rejects.toThrow("still broken");
    expect(of(balancer, "a").breaker).toBe("open");
    expect(balancer.tryAcquire()).toBeUndefined();
  });

  test("half-open: a probe whose caller leaves gives its place back, and the breaker is not stuck", async () => {
    const { balancer, clock } = guarded();
    trip(balancer);
    await clock.advance(500);
    const controller = new AbortController();
    const aborted = balancer.call(
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", reject)),
      {
        signal: controller.signal,
      },
    );
    expect(balancer.tryAcquire()).toBeUndefined();
    controller.abort(new Error("left"));
    await expect(aborted).rejects.toThrow("left");
    expect(await balancer.call(async () => "probe")).toBe("probe");
    expect(of(balancer, "a").breaker).toBe("closed");
  });

  test("a success that was admitted before it opened does not close it; a failure from then does not re-open it", async () => {
    const { balancer, clock } = guarded();
    const early = balancer.tryAcquire();
    const alsoEarly = balancer.tryAcquire();
    trip(balancer);
    early?.settle({ outcome: "success" });
    expect(of(balancer, "a").breaker).toBe("open");
    await clock.advance(500);
    await balancer.call(async () => "probe");
    alsoEarly?.settle({ outcome: "failure" });
    expect(of(balancer, "a").breaker).toBe("closed");
  });

  test("is made once per backend and disposed of once, when the backend goes or the balancer closes", async () => {
    const { balancer, clock, made } = guarded(THREE);
    balancer.set(THREE.slice(1));
    expect([...made].map(([id, { disposed }]) => [id, disposed])).toEqual([
      ["a", 1],
      ["b", 0],
      ["c", 0],
    ]);
    await balancer.close();
    expect([...made.values()].map(({ disposed }) => disposed)).toEqual([1, 1, 1]);
    expect(clock.pending).toBe(0);
  });

  test.each(["create", "admits", "enter", "report", "state", "dispose"])(
    "one whose `%s` throws costs no call, and is announced",
    async (method) => {
      const broken = (name: string): void => {
        if (name === method) throw new Error(`${name} is broken`);
      };
      const clock = virtualClock();
      const balancer = createBalancer({
        name: "orders",
        backends: THREE,
        clock,
        breaker: {
          name: "broken",
          create: () => {
            broken("create");
            return {
              get state(): BreakerState {
                broken("state");
                return "closed";
              },
              admits: () => {
                broken("admits");
                return true;
              },
              enter: () => {
                broken("enter");
                return 0;
              },
              report: () => broken("report"),
              [Symbol.dispose]: () => broken("dispose"),
            };
          },
        },
      });
      const failures = failuresOf(balancer);
      for (let call = 0; call < 10; call++) expect(await balancer.call(async () => call)).toBe(call);
      expect(balancer.snapshot().backends).toHaveLength(3);
      balancer.set([...THREE, { id: "d", url: "http://d.test" }]);
      await balancer.close();
      expect(failures.length).toBeGreaterThan(0);
      expect(failures.every(({ where }) => where.includes(method))).toBe(true);
    },
  );
});

// A streaming fetch

interface StreamingResponse {
  readonly status: number;
  /** Ends the body; with an error, in its midst. */
  endBody(error?: Error): void;
  readonly aborted: boolean;
}

/** The shape of a fetch: the promise settles at the headers, the place on the backend is taken until the body's end. */
function createStreamingFetch(balancer: Balancer, headersAfter: (attempt: Attempt) => Promise<number>) {
  return (options: CallOptions<StreamingResponse> = {}): Promise<StreamingResponse> =>
    balancer.call<StreamingResponse>(
      async (attempt) => {
        const status = await headersAfter(attempt);
        const release = attempt.hold();
        const { signal } = attempt;
        return {
          status,
          get aborted() {
            return signal.aborted;
          },
          endBody: (error) => release(error === undefined ? undefined : { outcome: "failure", errorCode: error.name }),
        };
      },
      {
        classify: ({ value, failed }) => {
          const status = failed ? 0 : (value as StreamingResponse).status;
          return status >= 500 ? { outcome: "failure", status, origin: "backend" } : undefined;
        },
        discard: (response) => response.endBody(),
        ...options,
      },
    );
}

const streaming = (backends: BackendSpec[] = ONE, status: (attempt: Attempt) => number = () => 200) => {
  const clock = virtualClock();
  const balancer = createBalancer({ name: "orders", backends, clock, random: createRandom(1), strategy: first() });
  const fetch = createStreamingFetch(balancer, async (attempt) => {
    await new Promise<void>((resolve) => {
      clock.schedule(20, resolve);
    });
    return status(attempt);
  });
  return { clock, balancer, fetch };
};

describe("a streaming fetch", () => {
  test("has its verdict at the headers, and its place until the end of the body", async () => {
    const { clock, balancer, fetch } = streaming();
    const promise = fetch();
    await clock.advance(20);
    const response = await promise;
    expect(of(balancer, "a")).toMatchObject({ successes: 1, requests: 1, ewmaMs: 20 });
    // Hours of body: neither attempt timeout nor deadline reach beyond the headers, and the latency stays what it was.
    await clock.advance(3 * 3_600_000);
    expect(response.aborted).toBe(false);
    expect(of(balancer, "a")).toMatchObject({ requests: 1, p50Ms: of(balancer, "a").p99Ms });
    expect(of(balancer, "a").p99Ms).toBeLessThan(25);
    response.endBody();
    response.endBody();
    expect(of(balancer, "a")).toMatchObject({ requests: 0, successes: 1, failures: 0, streamFailures: 0 });
  });

  test("a body that breaks is a failure of the stream, not of the attempt: nothing is charged, nobody ejected", async () => {
    const { clock, balancer, fetch } = streaming();
    for (let call = 0; call < 10; call++) {
      const promise = fetch();
      await clock.advance(20);
      (await promise).endBody(new Error("truncated"));
    }
    expect(of(balancer, "a")).toMatchObject({
      streamFailures: 10,
      successes: 10,
      failures: 0,
      ejections: 0,
      health: "healthy",
      requests: 0,
    });
    expect(of(balancer, "a").ewmaMs).toBeLessThanOrEqual(20);
  });

  test("a 503 goes elsewhere; the body that nobody reads is discarded, and its place is free", async () => {
    const { clock, balancer, fetch } = streaming(THREE, ({ backend }) => (backend.id === "a" ? 503 : 200));
    const promise = fetch({ idempotent: true });
    await clock.advance(200);
    const response = await promise;
    expect(response.status).toBe(200);
    expect(of(balancer, "a")).toMatchObject({ failures: 1, requests: 0 });
    expect(of(balancer, "b")).toMatchObject({ successes: 1, requests: 1 });
    response.endBody();
  });

  test("the caller's abort ends a body that streams, and is not held against the backend", async () => {
    const { clock, balancer, fetch } = streaming();
    const controller = new AbortController();
    const promise = fetch({ signal: controller.signal });
    await clock.advance(20);
    const response = await promise;
    controller.abort(new Error("enough"));
    expect(response.aborted).toBe(true);
    response.endBody(new Error("aborted"));
    expect(of(balancer, "a")).toMatchObject({ requests: 0, failures: 0, successes: 1, health: "healthy" });
  });
});

// An hours-long socket

/** What a WebSocket client does with a balancer: a lease from handshake to close, hours apart. */
function openSocket(
  balancer: Balancer,
  request: PickRequest = {},
): { readonly on: string; close(error?: Error): void } {
  const lease = balancer.tryAcquire({ ...request, kind: "connection" });
  if (lease === undefined) throw new Error("no backend for a socket");
  lease.settle({ outcome: "success" });
  return {
    on: lease.backend.id,
    close: (error) => lease.release(error === undefined ? undefined : { outcome: "failure", errorCode: error.name }),
  };
}

/** Where 500 requests go, up to four of them at once, each 10 ms long. */
const traffic = ({ clock, balancer }: { clock: VirtualClock; balancer: Balancer }): string[] => {
  const picks: string[] = [];
  const open: Lease[] = [];
  for (let call = 0; call < 500; call++) {
    const lease = balancer.tryAcquire();
    if (lease === undefined) throw new Error("nobody took a request");
    picks.push(lease.backend.id);
    open.push(lease);
    clock.advanceSync(3);
    if (open.length < 4) continue;
    const done = open.shift();
    done?.settle({ outcome: "success" });
    done?.release();
  }
  for (const lease of open) lease.release();
  return picks;
};

/** The part of the picks that each of `ids` had. */
function share(picks: string[], ids: string[]): number[] {
  return ids.map((id) => picks.filter((pick) => pick === id).length / picks.length);
}

describe("hours-long sockets", () => {
  const strategies: [string, () => Strategy][] = [
    ["peakEwma", () => peakEwma()],
    ["roundRobin", () => roundRobin()],
    ["random", () => random()],
    ["leastRequest", () => leastRequest()],
    ["first", () => first()],
  ];
  const many = Array.from({ length: 5 }, (_, index) => ({ id: `b${index}`, url: `http://b${index}.test` }));
  const balancerOf = (strategy: Strategy, backends: BackendSpec[] = many) => {
    const clock = virtualClock();
    return { clock, balancer: createBalancer({ name: "orders", backends, clock, random: createRandom(7), strategy }) };
  };

  test.each(strategies)("%s: 5,000 on one backend leave every request where it went without them", (_, make) => {
    const without = traffic(balancerOf(make()));
    const loaded = balancerOf(make());
    for (let socket = 0; socket < 5_000; socket++) openSocket(loaded.balancer, { pinned: "b1" });
    expect(of(loaded.balancer, "b1")).toMatchObject({ connections: 5_000, requests: 0 });
    expect(traffic(loaded)).toEqual(without);
  });

  test.each(strategies)(
    "%s: sockets that open and close by themselves leave the shares of requests alone",
    (_, make) => {
      const ids = many.map(({ id }) => id);
      const without = share(traffic(balancerOf(make())), ids);
      const loaded = balancerOf(make());
      const sockets = Array.from({ length: 3_000 }, () => openSocket(loaded.balancer));
      for (const socket of sockets.slice(0, 1_500)) socket.close();
      const during = share(traffic(loaded), ids);
      // Random draws differ; 500 of them with p = 0.2 have σ = 1.8 points.
      for (const [index, value] of during.entries()) expect(Math.abs(value - (without[index] ?? 0))).toBeLessThan(0.08);
    },
  );

  test.each([
    ["peakEwma", () => peakEwma()],
    ["leastRequest", () => leastRequest()],
  ] as [string, () => Strategy][])("%s: sockets go where the fewest are open", (_, make) => {
    const { balancer } = balancerOf(make());
    for (let socket = 0; socket < 5_000; socket++) openSocket(balancer);
    expect(balancer.snapshot().backends.map(({ connections }) => connections)).toEqual([
      1_000, 1_000, 1_000, 1_000, 1_000,
    ]);
  });

  test("requests under way do not move sockets", () => {
    const { balancer } = balancerOf(leastRequest());
    for (let request = 0; request < 100; request++) balancer.tryAcquire({ pinned: "b0" });
    for (let socket = 0; socket < 50; socket++) openSocket(balancer);
    expect(balancer.snapshot().backends.map(({ connections }) => connections)).toEqual([10, 10, 10, 10, 10]);
  });

  test("hours later the end of one says nothing about latency, and its failure is one of the stream", () => {
    const { clock, balancer } = balancerOf(peakEwma(), ONE);
    const sockets = [openSocket(balancer), openSocket(balancer)];
    clock.advanceSync(9 * 3_600_000);
    sockets[0]?.close();
    sockets[1]?.close(new Error("reset"));
    expect(of(balancer, "a")).toMatchObject({
      ewmaMs: 0,
      p99Ms: 0,
      connections: 0,
      successes: 2,
      failures: 0,
      streamFailures: 1,
    });
  });

  test("a lease that was held for an hour and never settled does not take its backend out of play", () => {
    const { clock, balancer } = balancerOf(peakEwma(), THREE);
    const request = (): string => {
      const lease = balancer.tryAcquire();
      clock.advanceSync(10);
      lease?.settle({ outcome: "success" });
      lease?.release();
      return lease?.backend.id ?? "nobody";
    };
    for (let warm = 0; warm < 30; warm++) request();
    const forgotten = balancer.tryAcquire({ pinned: "a" });
    clock.advanceSync(3_600_000);
    forgotten?.[Symbol.dispose]();
    const picks = Array.from({ length: 90 }, request);
    // Its share would be 30.
    expect(picks.filter((id) => id === "a").length).toBeGreaterThan(20);
  });

  test("handshakes that fail eject the backend for sockets and requests alike", () => {
    const { balancer } = balancerOf(first(), THREE);
    for (let failure = 0; failure < 5; failure++) {
      const lease = balancer.tryAcquire({ kind: "connection", pinned: "a" });
      lease?.settle({ outcome: "unreached" });
      lease?.release();
    }
    expect(of(balancer, "a").health).toBe("ejected");
    expect(openSocket(balancer).on).toBe("b");
  });

  test("on close they are asked to end first, and what is left is given back", async () => {
    const { clock, balancer } = balancerOf(first(), ONE);
    const polite = openSocket(balancer);
    openSocket(balancer);
    const steps: string[] = [];
    balancer.attach({
      drain: () => {
        steps.push("drain");
        polite.close();
      },
      close: () => {
        steps.push(`close with ${of(balancer, "a").connections} open`);
      },
    });
    const closed = balancer.close({ drainMs: 1_000 });
    await clock.advance(999);
    expect(steps).toEqual(["drain"]);
    await clock.advance(1);
    await closed;
    expect(steps).toEqual(["drain", "close with 0 open"]);
  });
});

// A session pinned to a draining backend

const draining = async () => {
  const clock = virtualClock();
  const balancer = createBalancer({ name: "orders", backends: THREE, clock, strategy: first() });
  const session = balancer.tryAcquire({ pinned: "a" });
  const drained = balancer.drain("a", { deadlineMs: 60_000 });
  let done = false;
  const watched = drained.finally(() => {
    done = true;
  });
  await clock.advance(0);
  return { clock, balancer, session, watched, isDone: () => done };
};

describe("a session pinned to a draining backend", () => {
  test("is served there, while everybody else goes elsewhere", async () => {
    const { balancer, session } = await draining();
    expect(session?.backend.id).toBe("a");
    expect(await balancer.call(async ({ backend }) => backend.id, { pinned: "a" })).toBe("a");
    expect((await balancer.acquire({ pinned: "a", pinPolicy: "fail" })).backend.id).toBe("a");
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("b");
    expect(await balancer.call(async ({ backend }) => backend.id, { pinned: "b" })).toBe("b");
  });

  test("the drain is over with its last lease", async () => {
    const { clock, balancer, session, watched, isDone } = await draining();
    const again = balancer.tryAcquire({ pinned: "a" });
    session?.release();
    await clock.advance(1_000);
    expect(isDone()).toBe(false);
    again?.release();
    await watched;
    expect(clock.pending).toBe(0);
  });

  test("redistribute (the default): another backend takes it once its own can't", async () => {
    const { balancer } = await draining();
    balancer.disable("a");
    expect(balancer.tryAcquire({ pinned: "a" })?.backend.id).toBe("b");
    expect(balancer.tryAcquire({ pinned: "a", pinPolicy: "redistribute" })?.backend.id).toBe("b");
    expect(balancer.tryAcquire({ pinned: "nobody" })?.backend.id).toBe("b");
  });

  test("wait: no other backend will do, for longer than the queue's limit, and it is served once it can be", async () => {
    const { clock, balancer } = await draining();
    balancer.disable("a");
    expect(balancer.tryAcquire({ pinned: "a", pinPolicy: "wait" })).toBeUndefined();
    let servedBy = "";
    const call = balancer.call(
      async ({ backend }) => {
        servedBy = backend.id;
      },
      { pinned: "a", pinPolicy: "wait" },
    );
    await clock.advance(20_000);
    expect(servedBy).toBe("");
    balancer.enable("a");
    await call;
    expect(servedBy).toBe("a");
  });

  test("fail: an error at once", async () => {
    const { clock, balancer } = await draining();
    balancer.disable("a");
    const options = { pinned: "a", pinPolicy: "fail" } as const;
    await expect(balancer.call(async () => 1, options)).rejects.toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
    await expect(balancer.acquire(options)).rejects.toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
    expect(balancer.tryAcquire(options)).toBeUndefined();
    expect(clock.now()).toBe(0);
  });

  test("one retry of a pinned call that may not go elsewhere goes to its backend again", async () => {
    const { clock, balancer } = await draining();
    const visits: string[] = [];
    const call = balancer.call(
      async ({ backend, number }) => {
        visits.push(backend.id);
        if (number === 1) throw new Error("reset");
        return "served";
      },
      { pinned: "a", pinPolicy: "wait", idempotent: true },
    );
    await clock.advance(100);
    expect(await call).toBe("served");
    expect(visits).toEqual(["a", "a"]);
  });
});

// A strategy of one's own

const choosing = (strategy: Strategy, backends: BackendSpec[] = THREE, more: { breaker?: BreakerProvider } = {}) => {
  const clock = virtualClock();
  const balancer = createBalancer({ name: "orders", backends, clock, random: createRandom(3), strategy, ...more });
  return { clock, balancer, failures: failuresOf(balancer) };
};

const by = (pick: Picker["pick"]): Strategy => ({ name: "mine", build: () => ({ pick }) });

describe("a strategy of one's own", () => {
  test("sees weights, kind, key, labels and what was tried, and its choice is what happens", async () => {
    const seen: PickRequest[] = [];
    const views: View[] = [];
    const byTenant: Strategy = {
      name: "by-tenant",
      build: (view) => {
        views.push(view);
        return {
          pick: (request, nowMs) => {
            seen.push({ ...request });
            const wanted = view.backends.filter((backend) => backend.admits(request, nowMs));
            return wanted.find(({ labels }) => labels["tenant"] === request.labels?.["tenant"]) ?? wanted[0];
          },
        };
      },
    };
    const { balancer, clock } = choosing(byTenant, [
      { id: "a", url: "http://a.test", weight: 3 },
      { id: "b", url: "http://b.test", labels: { tenant: "blue" } },
      { id: "c", url: "http://c.test", labels: { tenant: "blue" } },
    ]);
    const visits: string[] = [];
    const call = balancer.call(
      async ({ backend, number }) => {
        visits.push(backend.id);
        if (number === 1) throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
      },
      { labels: { tenant: "blue" }, hashKey: "user-1", idempotent: true },
    );
    await clock.advance(0);
    await call;
    expect(visits).toEqual(["b", "c"]);
    expect(seen[0]).toMatchObject({ labels: { tenant: "blue" }, hashKey: "user-1", replayable: true });
    expect(seen[0]?.tried).toBeUndefined();
    expect([...(seen[1]?.tried ?? [])].map(({ id }) => id)).toEqual(["b"]);
    balancer.tryAcquire({ kind: "connection" });
    expect(views.map(({ kind, weights }) => [kind, ...weights])).toEqual([
      ["request", 3, 1, 1],
      ["connection", 3, 1, 1],
    ]);
  });

  test("is built once per view, lazily, and anew when the view changes", async () => {
    let built = 0;
    const strategy: Strategy = {
      name: "counting",
      build: ({ backends }) => {
        built++;
        return { pick: (request, nowMs) => backends.findLast((backend) => backend.admits(request, nowMs)) };
      },
    };
    const { balancer } = choosing(strategy);
    expect(built).toBe(0);
    for (let call = 0; call < 10; call++) expect(await balancer.call(async ({ backend }) => backend.id)).toBe("c");
    expect(built).toBe(1);
    balancer.disable("c");
    expect(built).toBe(1);
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("b");
    expect(built).toBe(2);
  });

  test("that answers undefined has nobody: the call waits, and is served when that changes", async () => {
    let open = false;
    const strategy: Strategy = {
      name: "moody",
      build: ({ backends }) => ({ pick: () => (open ? backends[0] : undefined) }),
    };
    const { balancer, clock } = choosing(strategy);
    const call = balancer.call(async ({ backend }) => backend.id);
    await clock.advance(100);
    open = true;
    await clock.advance(25);
    expect(await call).toBe("a");
  });

  test("that throws: every call is served by weight all the same, and each exception is announced", async () => {
    const { balancer, failures } = choosing(
      by(() => {
        throw new Error("out of ideas");
      }),
    );
    const served = new Set<string>();
    for (let call = 0; call < 60; call++) served.add(await balancer.call(async ({ backend }) => backend.id));
    expect([...served].sort()).toEqual(["a", "b", "c"]);
    expect(failures).toHaveLength(60);
    expect(failures[0]).toMatchObject({ where: expect.stringContaining("mine"), error: new Error("out of ideas") });
  });

  test("that returns a closed backend: the call goes to one that is open", async () => {
    const closed: BreakerProvider = {
      name: "a-is-closed",
      create: ({ backend }) => ({
        state: "closed",
        admits: () => backend !== "a",
        enter: () => 0,
        report: () => {},
        [Symbol.dispose]: () => {},
      }),
    };
    const strategy: Strategy = { name: "stubborn", build: ({ backends }) => ({ pick: () => backends[0] }) };
    const { balancer, failures } = choosing(strategy, THREE, { breaker: closed });
    for (let call = 0; call < 20; call++) expect(await balancer.call(async ({ backend }) => backend.id)).not.toBe("a");
    expect(failures).toHaveLength(20);
    expect(of(balancer, "a").attempts).toBe(0);
  });

  test("that returns a backend which has left the set: the call goes to one that is in it", async () => {
    let remembered: Backend | undefined;
    const strategy: Strategy = {
      name: "nostalgic",
      build: ({ backends }) => {
        remembered ??= backends[0];
        return { pick: () => remembered };
      },
    };
    const { balancer, failures } = choosing(strategy);
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("a");
    balancer.set(THREE.slice(1));
    expect(await balancer.call(async ({ backend }) => backend.id)).not.toBe("a");
    expect(failures).toHaveLength(1);
  });

  test.each([
    ["an object of its own", { id: "x", url: "http://elsewhere.test", admits: () => true }],
    ["null", null],
    ["a text", "a"],
    ["a promise", Promise.resolve()],
  ])("that returns %s: the call is served by a real backend", async (_, nonsense) => {
    const { balancer, failures } = choosing(by(() => nonsense as unknown as Backend));
    expect(["a", "b", "c"]).toContain(await balancer.call(async ({ backend }) => backend.id));
    expect(failures).toHaveLength(1);
  });

  test("that returns a backend of another balancer: the call stays with its own", async () => {
    const other = createBalancer({
      name: "users",
      backends: [{ id: "users-1", url: "http://users.test" }],
      clock: virtualClock(),
      strategy: first(),
    });
    // Both are in their first view: they differ in nothing but whose they are.
    other.tryAcquire()?.release();
    const foreign = other.backends[0];
    const { balancer, failures } = choosing(by(() => foreign));
    expect(["a", "b", "c"]).toContain(await balancer.call(async ({ backend }) => backend.id));
    expect(failures).toHaveLength(1);
    expect(of(other, "users-1").attempts).toBe(1);
  });

  test("whose build throws: calls are served all the same, and it is announced", async () => {
    const { balancer, failures } = choosing({
      name: "unbuildable",
      build: () => {
        throw new Error("no plan");
      },
    });
    const served = new Set<string>();
    for (let call = 0; call < 60; call++) served.add(await balancer.call(async ({ backend }) => backend.id));
    expect([...served].sort()).toEqual(["a", "b", "c"]);
    expect(failures[0]).toMatchObject({ where: expect.stringContaining("unbuildable"), error: new Error("no plan") });
    expect(balancer.snapshot().calls.callbackFailures).toBe(failures.length);
  });

  test("whose build returns nonsense: calls are served all the same", async () => {
    const { balancer, failures } = choosing({ name: "empty", build: () => ({}) as Picker });
    expect(["a", "b", "c"]).toContain(await balancer.call(async ({ backend }) => backend.id));
    expect(failures.length).toBeGreaterThan(0);
  });

  test.each(["peek", "scores"] as const)("whose %s throws: explain answers, and it is announced", (method) => {
    const { balancer, failures } = choosing({
      name: "mine",
      build: ({ backends }) => ({
        pick: () => backends[0],
        [method]: () => {
          throw new Error("can't say");
        },
      }),
    });
    expect(balancer.explain().backends.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(failures).toHaveLength(1);
  });

  test("whose peek names nobody we know: explain names nobody", () => {
    const { balancer } = choosing({
      name: "mine",
      build: () => ({ pick: () => undefined, peek: () => ({ id: "x" }) as Backend }),
    });
    expect(balancer.explain().choice).toBeNull();
  });

  test("can be a derived balancer's, over the same members and their history", async () => {
    const { balancer } = choosing(first());
    const last: Strategy = {
      name: "last",
      build: ({ backends }) => ({ pick: (request, nowMs) => backends.findLast((it) => it.admits(request, nowMs)) }),
    };
    const derived = balancer.derive({ strategy: last });
    expect(await derived.call(async ({ backend }) => backend.id)).toBe("c");
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("a");
    expect(of(balancer, "c").successes).toBe(1);
    expect(derived.explain().strategy).toBe("last");
  });
});
