// One call and its attempts, under a virtual clock: what is repeated, where, how often, and what comes back.
import { type Attempt, type CallOptions, type Classifier, FairleadError, first, type Report } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { byStatus, type Reply } from "./support/replies.ts";
import {
  abortListeners,
  constantRandom,
  deferred,
  escaped,
  held,
  nothing,
  one,
  record,
  refused,
  rejection,
  reset,
  scripted,
  settle,
  watch,
  world,
} from "./support/world.ts";

describe("a call that works at once", () => {
  test("resolves to the value, with one attempt, and leaves nothing behind", async () => {
    const { balancer, clock } = world(3);
    expect(await balancer.call(async ({ backend, number }) => `${backend.url} ${number}`)).toBe("http://a.test 1");
    expect(balancer.snapshot().calls).toMatchObject({ calls: 1, succeeded: 1, failed: 0, retries: 0, requeues: 0 });
    expect(one(balancer, "a")).toMatchObject({ attempts: 1, successes: 1, requests: 0 });
    expect(clock.pending).toBe(0);
  });

  test("accepts a function that returns a plain value or a thenable", async () => {
    const { balancer } = world(1);
    expect(await balancer.call((() => 5) as unknown as () => Promise<number>)).toBe(5);
    // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
    const thenable = { then: (use: (value: number) => void) => use(6) } as unknown as Promise<number>;
    expect(await balancer.call(() => thenable)).toBe(6);
  });

  test("gives what its attempt is allowed to know", async () => {
    const { balancer, clock } = world([
      { id: "a", url: "http://a.test/api/", weight: 2, zone: "z", labels: { tier: "1" } },
    ]);
    await balancer.call(
      async (attempt) => {
        expect(attempt.number).toBe(1);
        expect(attempt.backend).toMatchObject({
          id: "a",
          url: "http://a.test/api",
          weight: 2,
          zone: "z",
          labels: { tier: "1" },
        });
        expect(attempt.backend.inFlight("request")).toBe(1);
        expect(attempt.backend.inFlight("connection")).toBe(0);
        expect(attempt.remainingMs).toBe(5_000);
        clock.advanceSync(1_200);
        expect(attempt.remainingMs).toBe(3_800);
        expect(attempt.signal.aborted).toBe(false);
        expect(attempt.signal).toBe(attempt.signal);
      },
      { attemptTimeoutMs: 5_000, deadlineMs: 9_000 },
    );
  });

  test("remaining time is the deadline's where that is nearer, and infinite without limits", async () => {
    const { balancer } = world(1);
    const remaining = (options: CallOptions<number>): Promise<number> =>
      balancer.call(async (attempt) => attempt.remainingMs, options);
    expect(await remaining({ attemptTimeoutMs: 5_000, deadlineMs: 3_000 })).toBe(3_000);
    expect(await remaining({ attemptTimeoutMs: false, deadlineMs: 3_000 })).toBe(3_000);
    expect(await remaining({ attemptTimeoutMs: false, deadlineMs: false })).toBe(Number.POSITIVE_INFINITY);
  });

  test("without limits arms no timer", async () => {
    const { balancer, clock } = world(1);
    const open = deferred();
    const call = balancer.call(() => open.promise, { attemptTimeoutMs: false, deadlineMs: false });
    expect(clock.pending).toBe(0);
    open.resolve();
    await call;
  });

  test("of kind `connection` is counted as one, and tells nothing about request latency", async () => {
    const { balancer, clock } = world(1);
    const open = deferred();
    const call = balancer.call(
      ({ backend }) => {
        expect([backend.inFlight("request"), backend.inFlight("connection")]).toEqual([0, 1]);
        return open.promise;
      },
      { kind: "connection" },
    );
    await clock.advance(400);
    open.resolve();
    await call;
    expect(one(balancer, "a")).toMatchObject({ connections: 0, successes: 1, ewmaMs: 0, p50Ms: 0 });
  });
});

describe("a call that is not idempotent", () => {
  test("is not repeated after a failure that may have been processed: the plain error comes back itself", async () => {
    const { balancer } = world(3);
    const error = reset();
    const { run, visits } = scripted({ a: () => Promise.reject(error) });
    expect(await rejection(balancer.call(run))).toBe(error);
    expect(visits).toEqual(["a"]);
    expect(balancer.snapshot().calls).toMatchObject({ failed: 1, retries: 0, requeues: 0 });
  });

  test("is not repeated after a timeout or a status", async () => {
    const { balancer, clock } = world(3, { classify: byStatus });
    const silent = watch(balancer.call(() => new Promise(() => {}), { attemptTimeoutMs: 100 }));
    await clock.advance(100);
    expect(silent.error).toMatchObject({ code: "FAIRLEAD_ERR_TIMEOUT" });
    expect(await balancer.call(async () => ({ status: 503 }))).toEqual({ status: 503 });
    expect(balancer.snapshot().backends.map(({ attempts }) => attempts)).toEqual([2, 0, 0]);
  });

  test("moves on at once, whatever it is, when the connection was refused", async () => {
    const { balancer, clock } = world(3);
    const { run, visits } = scripted({
      a: () => Promise.reject(refused()),
      b: () => Promise.reject(new TypeError("fetch failed", { cause: refused() })),
      c: () => "served",
    });
    const call = watch(balancer.call(run));
    await settle();
    expect(call.value).toBe("served");
    expect(visits).toEqual(["a", "b", "c"]);
    expect(clock.now()).toBe(0);
    expect(balancer.snapshot().calls).toMatchObject({ requeues: 2, retries: 0, succeeded: 1 });
    expect(balancer.snapshot().backends.map(({ unreached }) => unreached)).toEqual([1, 1, 0]);
  });

  test("moves on when its function has said that nothing was sent", async () => {
    const { balancer } = world(2);
    const { run, visits } = scripted<string>({
      a: (attempt) => {
        attempt.markSent(false);
        throw reset();
      },
      b: () => "served",
    });
    expect(await balancer.call(run)).toBe("served");
    expect(visits).toEqual(["a", "b"]);
  });

  test("does not when it was sent after all: once sent is sent", async () => {
    const { balancer } = world(2);
    const error = reset();
    const { run, visits } = scripted<string>({
      a: (attempt) => {
        attempt.markSent(false);
        attempt.markSent();
        attempt.markSent(false);
        throw error;
      },
    });
    expect(await rejection(balancer.call(run))).toBe(error);
    expect(visits).toEqual(["a"]);
  });

  test("a timeout before anything was sent is `unreached`, and moves on", async () => {
    const { balancer, clock } = world(2);
    const { run, visits } = scripted<string>({
      a: (attempt) => {
        attempt.markSent(false);
        return new Promise(() => {});
      },
      b: () => "served",
    });
    const call = watch(balancer.call(run, { attemptTimeoutMs: 100 }));
    await clock.advance(100);
    expect(call.value).toBe("served");
    expect(visits).toEqual(["a", "b"]);
    expect(one(balancer, "a")).toMatchObject({ unreached: 1, failures: 0 });
  });

  test("unreached on every backend: all are tried once, and the error names each with its cause", async () => {
    const { balancer, clock } = world(3, { retry: false });
    const last = refused();
    const { run, visits } = scripted<string>({
      a: () => Promise.reject(refused()),
      b: () => Promise.reject(refused()),
      c: () => Promise.reject(last),
    });
    const error = await rejection(balancer.call(run));
    expect(visits).toEqual(["a", "b", "c"]);
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_RETRIES_EXHAUSTED", cause: last });
    expect((error as FairleadError).attempts).toEqual([
      { backend: "a", outcome: "unreached", errorCode: "ECONNREFUSED", ms: 0, sent: false },
      { backend: "b", outcome: "unreached", errorCode: "ECONNREFUSED", ms: 0, sent: false },
      { backend: "c", outcome: "unreached", errorCode: "ECONNREFUSED", ms: 0, sent: false },
    ]);
    expect(clock.pending).toBe(0);
  });

  test("refused by the only backend there is: tried again after a back-off", async () => {
    const { balancer, clock } = world(1);
    const { run, visits } = scripted<string>({
      a: ({ number }) => (number === 1 ? Promise.reject(refused()) : "served"),
    });
    const call = watch(balancer.call(run));
    await clock.advance(12);
    expect(visits).toEqual(["a"]);
    await clock.advance(1);
    expect(call.value).toBe("served");
  });
});

describe("an idempotent call", () => {
  const idempotent = true;

  test("is repeated elsewhere after a back-off: a random share of 25 ms, doubled each time", async () => {
    const { balancer, clock } = world(3);
    const { run, visits } = scripted({
      a: () => Promise.reject(reset()),
      b: () => Promise.reject(reset()),
      c: () => "served",
    });
    const call = watch(balancer.call(run, { idempotent }));
    await clock.advance(12);
    expect(visits).toEqual(["a"]);
    await clock.advance(1);
    expect(visits).toEqual(["a", "b"]);
    await clock.advance(24);
    expect(visits).toEqual(["a", "b"]);
    await clock.advance(1);
    expect(visits).toEqual(["a", "b", "c"]);
    expect(call.value).toBe("served");
    expect(balancer.snapshot().calls).toMatchObject({ calls: 1, succeeded: 1, failed: 0, retries: 2 });
  });

  test("back-offs have their limit", async () => {
    const { balancer, clock } = world(3, {
      retry: { delayMs: 400, backoffLimitMs: 500 },
      random: constantRandom(0.999),
    });
    const { run, visits } = scripted({
      a: () => Promise.reject(reset()),
      b: () => Promise.reject(reset()),
      c: () => 1,
    });
    const call = balancer.call(run, { idempotent });
    await clock.advance(400);
    expect(visits).toHaveLength(2);
    await clock.advance(500);
    expect(visits).toHaveLength(3);
    await call;
  });

  test("ends after the limit of retries with an error that names every attempt, and the last cause", async () => {
    const { balancer, clock } = world(5);
    const errors = Array.from({ length: 3 }, reset);
    let attempt = 0;
    const call = watch(
      balancer.call(
        async () => {
          clock.advanceSync(4);
          throw errors[attempt++] ?? new Error("one too many");
        },
        { idempotent },
      ),
    );
    await clock.advance(1_000);
    expect(attempt).toBe(3);
    const error = call.error as FairleadError;
    expect(error).toBeInstanceOf(FairleadError);
    expect(error.code).toBe("FAIRLEAD_ERR_RETRIES_EXHAUSTED");
    expect(error.cause).toBe(errors[2]);
    expect(error.attempts).toEqual(
      ["a", "b", "c"].map((backend) => ({
        backend,
        outcome: "failure",
        errorCode: "UND_ERR_SOCKET",
        ms: 4,
        sent: true,
      })),
    );
    for (const { backend } of error.attempts) expect(error.message).toContain(`${backend}: UND_ERR_SOCKET after 4 ms`);
    expect(clock.pending).toBe(0);
  });

  test("a limit of its own, or none, overrules the balancer's", async () => {
    const { balancer, clock } = world(5, { retry: { limit: 1 } });
    const attempts = async (options: CallOptions<never>): Promise<number> => {
      let made = 0;
      const call = watch(
        balancer.call(
          async (): Promise<never> => {
            made++;
            throw reset();
          },
          { idempotent, ...options },
        ),
      );
      await clock.advance(1_000);
      expect(call.state).toBe("rejected");
      return made;
    };
    expect(await attempts({})).toBe(2);
    expect(await attempts({ retry: { limit: 3 } })).toBe(4);
    expect(await attempts({ retry: { limit: 0 } })).toBe(1);
    expect(await attempts({ retry: false })).toBe(1);
  });

  test("with retries off, the plain error comes back itself", async () => {
    const { balancer } = world(3, { retry: false });
    const error = reset();
    expect(await rejection(balancer.call(async () => Promise.reject(error), { idempotent }))).toBe(error);
  });

  test("of one that has them on, though its balancer has them off, is repeated", async () => {
    const { balancer, clock } = world(2, { retry: false });
    const { run, visits } = scripted({ a: () => Promise.reject(reset()), b: () => 1 });
    const call = watch(balancer.call(run, { idempotent, retry: {} }));
    await clock.advance(50);
    expect(call.value).toBe(1);
    expect(visits).toEqual(["a", "b"]);
  });

  test("goes back to a backend that failed it only if nobody else is left", async () => {
    const { balancer, clock } = world(2);
    const { run, visits } = scripted<string>({
      a: ({ number }) => (number === 1 ? Promise.reject(reset()) : "served"),
      b: () => Promise.reject(reset()),
    });
    const call = watch(balancer.call(run, { idempotent }));
    await clock.advance(100);
    expect(visits).toEqual(["a", "b", "a"]);
    expect(call.value).toBe("served");
  });

  test("of a single backend is repeated there", async () => {
    const { balancer, clock } = world(1);
    const { run } = scripted<string>({ a: ({ number }) => (number < 3 ? Promise.reject(reset()) : "served") });
    const call = watch(balancer.call(run, { idempotent }));
    await clock.advance(100);
    expect(call.value).toBe("served");
  });

  test("a function that throws at once is as good as one that rejects", async () => {
    const { balancer, clock } = world(2);
    const visits: string[] = [];
    const call = watch(
      balancer.call(
        ({ backend }) => {
          visits.push(backend.id);
          if (backend.id === "a") throw reset();
          return Promise.resolve("served");
        },
        { idempotent },
      ),
    );
    await clock.advance(50);
    expect(call.value).toBe("served");
    expect(visits).toEqual(["a", "b"]);
    expect(held(balancer)).toBe(0);
  });

  test("rejections that are no errors come back themselves, undefined among them", async () => {
    const { balancer } = world(1, { retry: false });
    for (const reason of [undefined, null, "text", 7]) {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- that is what is tested
      const call = balancer.call(() => Promise.reject(reason), { idempotent });
      expect(await rejection(call)).toBe(reason);
    }
  });

  test("`ignored` attempts are neither repeated nor charged", async () => {
    const { balancer } = world(2);
    const error = new Error("the caller's own doing");
    const { run, visits } = scripted({ a: () => Promise.reject(error) });
    expect(await rejection(balancer.call(run, { idempotent, classify: () => "ignored" }))).toBe(error);
    expect(visits).toEqual(["a"]);
    expect(one(balancer, "a")).toMatchObject({ ignored: 1, failures: 0, ewmaMs: 0 });
    expect(balancer.snapshot().calls).toMatchObject({ succeeded: 0, failed: 0 });
  });
});

const only200IsGood: Classifier = ({ value }) => {
  const { status } = value as Reply;
  return status === 200 ? "success" : { outcome: "failure", status };
};

describe("answers with a status", () => {
  const options: CallOptions<Reply> = { idempotent: true, classify: byStatus };

  test.each([408, 421, 425, 502, 503, 504])("%i is repeated elsewhere", async (status) => {
    const { balancer, clock } = world(2);
    const { run, visits } = scripted<Reply>({ a: () => ({ status }), b: () => ({ status: 200 }) });
    const call = watch(balancer.call(run, { idempotent: true, classify: only200IsGood }));
    await clock.advance(50);
    expect(call.value).toEqual({ status: 200 });
    expect(visits).toEqual(["a", "b"]);
  });

  test.each([500, 501, 505, 599])("%i is a failure, and not repeated", async (status) => {
    const { balancer, clock } = world(2);
    const { run, visits } = scripted<Reply>({ a: () => ({ status }) });
    const call = watch(balancer.call(run, options));
    await clock.advance(50);
    expect(call.value).toEqual({ status });
    expect(visits).toEqual(["a"]);
    expect(one(balancer, "a").failures).toBe(1);
  });

  test("which ones are repeated can be said, by balancer and by call", async () => {
    const { balancer, clock } = world(3, { retry: { statusCodes: [500] } });
    const { run, visits } = scripted<Reply>({
      a: () => ({ status: 500 }),
      b: () => ({ status: 503 }),
      c: () => ({ status: 200 }),
    });
    const first503 = watch(balancer.call(run, options));
    await clock.advance(100);
    expect(first503.value?.status).toBe(503);
    const both = watch(balancer.call(run, { ...options, retry: { statusCodes: [500, 503] } }));
    await clock.advance(100);
    expect(both.value?.status).toBe(200);
    expect(visits).toEqual(["a", "b", "a", "b", "c"]);
  });

  test("exhausted: the last value comes back, and every one it replaced is discarded, once", async () => {
    const { balancer, clock } = world(5);
    const discarded: Reply[] = [];
    const call = watch(
      balancer.call<Reply>(async ({ backend }) => ({ status: 503, from: backend.id }), {
        ...options,
        discard: (value) => void discarded.push(value),
      }),
    );
    await clock.advance(200);
    expect(call.value).toEqual({ status: 503, from: "c" });
    expect(discarded.map(({ from }) => from)).toEqual(["a", "b"]);
    expect(balancer.snapshot().calls).toMatchObject({ failed: 1, succeeded: 0 });
    expect(held(balancer)).toBe(0);
  });

  test("an error after them: the value before it is discarded, and the error names both", async () => {
    const { balancer, clock } = world(2, { retry: { limit: 1 } });
    const discarded: Reply[] = [];
    const error = reset();
    const { run } = scripted<Reply>({ a: () => ({ status: 502 }), b: () => Promise.reject(error) });
    const call = watch(balancer.call(run, { ...options, discard: (value) => void discarded.push(value) }));
    await clock.advance(200);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_RETRIES_EXHAUSTED", cause: error });
    expect((call.error as FairleadError).attempts.map(({ status, errorCode }) => status ?? errorCode)).toEqual([
      502,
      "UND_ERR_SOCKET",
    ]);
    expect(discarded).toEqual([{ status: 502 }]);
  });

  test("a value that waits for its replacement keeps its place until then", async () => {
    const { balancer, clock } = world(2);
    const { run } = scripted<Reply>({ a: () => ({ status: 503 }), b: () => ({ status: 200 }) });
    const call = balancer.call(run, options);
    await clock.advance(5);
    expect(one(balancer, "a").requests).toBe(1);
    await clock.advance(20);
    await call;
    expect(held(balancer)).toBe(0);
  });

  test("503 with Retry-After: elsewhere without waiting, and the backend is left in peace", async () => {
    const { balancer } = world(2);
    const paused = record(balancer, "backendPaused");
    const { run, visits } = scripted<Reply>({
      a: () => ({ status: 503, retryAfterMs: 5_000 }),
      b: () => ({ status: 200 }),
    });
    const call = watch(balancer.call(run, options));
    await settle();
    expect(call.value).toEqual({ status: 200 });
    expect(visits).toEqual(["a", "b"]);
    expect(paused).toHaveLength(1);
    expect(one(balancer, "a")).toMatchObject({ health: "paused", overloads: 1, failures: 0 });
  });

  test("429 is not repeated: it speaks for the whole service", async () => {
    const { balancer, clock } = world(2);
    const { run, visits } = scripted<Reply>({ a: () => ({ status: 429 }) });
    const call = watch(balancer.call(run, options));
    await clock.advance(100);
    expect(call.value).toEqual({ status: 429 });
    expect(visits).toEqual(["a"]);
    expect(one(balancer, "a")).toMatchObject({ overloads: 1, failures: 0 });
  });

  test("429 is repeated elsewhere where each backend speaks for itself", async () => {
    const { balancer } = world(2, { retry: { rateLimitScope: "backend" } });
    const { run, visits } = scripted<Reply>({
      a: () => ({ status: 429, retryAfterMs: 1_000 }),
      b: () => ({ status: 200 }),
    });
    const call = watch(balancer.call(run, options));
    await settle();
    expect(call.value).toEqual({ status: 200 });
    expect(visits).toEqual(["a", "b"]);
  });

  test("a retry that nobody can take is none: the value comes back, and no retry is counted or announced", async () => {
    const { balancer, clock } = world(1);
    const announced = record(balancer, "attemptRetried");
    const call = watch(balancer.call<Reply>(async () => ({ status: 503, retryAfterMs: 5_000 }), options));
    await clock.advance(100);
    expect(call.value?.status).toBe(503);
    expect(one(balancer, "a").attempts).toBe(1);
    expect(balancer.snapshot().calls.retries).toBe(0);
    expect(announced).toEqual([]);
  });

  test("attempts are calls, retries and requeues: nothing is counted twice or not at all", async () => {
    const { balancer, clock } = world(3);
    const calls = Array.from({ length: 30 }, (_, index) =>
      balancer
        .call<Reply>(async ({ backend }) => {
          if (index % 3 === 0 && backend.id === "a") throw refused();
          if (index % 5 === 0) return { status: 503 };
          return { status: 200 };
        }, options)
        .catch(() => undefined),
    );
    await clock.advance(1_000);
    await Promise.all(calls);
    const { calls: counters, backends } = balancer.snapshot();
    expect(counters.requeues).toBeGreaterThan(0);
    expect(counters.retries).toBeGreaterThan(0);
    expect(backends.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(
      counters.calls + counters.retries + counters.requeues,
    );
    expect(counters.succeeded + counters.failed).toBe(30);
  });
});

const overloaded = (retryAfterMs: number | undefined): Report => ({ outcome: "overload", status: 503, retryAfterMs });

describe("pauses", () => {
  test("last as long as asked, and no longer than 60 s", async () => {
    const { balancer, clock } = world(2);
    const paused = record(balancer, "backendPaused");
    balancer.observe("a", overloaded(3_000));
    expect(paused[0]?.record).toEqual({ upstream: "orders", backend: "a", untilAt: clock.wallNow() + 3_000 });
    await clock.advance(2_999);
    expect(balancer.tryAcquire()?.backend.id).toBe("b");
    await clock.advance(1);
    expect(balancer.tryAcquire()?.backend.id).toBe("a");

    balancer.observe("a", overloaded(3_600_000));
    await clock.advance(59_999);
    expect(one(balancer, "a").pausedUntilAt).toBe(clock.wallNow() + 1);
    expect(balancer.tryAcquire()?.backend.id).toBe("b");
    await clock.advance(1);
    expect(one(balancer, "a")).toMatchObject({ pausedUntilAt: null, health: "healthy" });
    expect(balancer.tryAcquire()?.backend.id).toBe("a");
  });

  test("a shorter one does not cut a longer one", () => {
    const { balancer, clock } = world(2);
    balancer.observe("a", overloaded(3_000));
    balancer.observe("a", overloaded(10));
    clock.advanceSync(2_999);
    expect(balancer.tryAcquire()?.backend.id).toBe("b");
  });

  test("the limit can be set; 0 honours none", () => {
    const { balancer, clock } = world(2, { pauseLimitMs: 100 });
    balancer.observe("a", overloaded(3_000));
    clock.advanceSync(100);
    expect(balancer.tryAcquire()?.backend.id).toBe("a");
    balancer.configure({ pauseLimitMs: 0 });
    balancer.observe("a", overloaded(3_000));
    expect(balancer.tryAcquire()?.backend.id).toBe("a");
  });

  test.each([Number.NaN, -1, 0, Number.NEGATIVE_INFINITY])("a Retry-After of %d pauses nobody", (retryAfterMs) => {
    const { balancer } = world(2);
    balancer.observe("a", overloaded(retryAfterMs));
    expect(balancer.tryAcquire()?.backend.id).toBe("a");
  });

  test("hold in panic, too", async () => {
    const { balancer } = world(1);
    for (let failure = 0; failure < 5; failure++) balancer.observe("a", { outcome: "failure" });
    balancer.observe("a", overloaded(3_000));
    expect(balancer.tryAcquire()).toBeUndefined();
  });

  test("`ignored` changes nothing, whatever else the report says", () => {
    const { balancer } = world(1);
    balancer.observe("a", { outcome: "ignored", retryAfterMs: 5_000 });
    expect(one(balancer, "a")).toMatchObject({ health: "healthy", pausedUntilAt: null });
  });

  test("enable ends one", () => {
    const { balancer } = world(1);
    balancer.observe("a", overloaded(3_000));
    balancer.enable("a");
    expect(balancer.tryAcquire()?.backend.id).toBe("a");
  });
});

describe("budgets", () => {
  const failing = {
    a: () => Promise.reject(reset()),
    b: () => Promise.reject(reset()),
    c: () => Promise.reject(reset()),
  };

  test("retries: the burst, then a fifth of the calls; what is denied is announced, and the error comes back", async () => {
    const { balancer, clock } = world(3, { ejection: false });
    const denied = record(balancer, "budgetExhausted");
    const { run, visits } = scripted(failing);
    const calls = Array.from({ length: 100 }, () => watch(balancer.call(run, { idempotent: true })));
    await clock.advance(0);
    // All hundred have begun: 100 · 0.2 earned and 10 saved up.
    await clock.advance(500);
    expect(visits).toHaveLength(100 + 20 + 10);
    expect(balancer.snapshot().calls).toMatchObject({ retries: 30, retriesDenied: denied.length });
    expect(denied[0]?.record).toEqual({ upstream: "orders", budget: "retry" });
    expect(calls.every(({ state }) => state === "rejected")).toBe(true);
    expect(balancer.snapshot().budgets.retry).toBe(0);
  });

  test("requeues have one of their own: exhausted retries do not stop them", async () => {
    const { balancer, clock } = world(2, { ejection: false, retryBudget: { ratio: 0, minPerSecond: 0, burst: 0 } });
    const { run, visits } = scripted<string>({ a: () => Promise.reject(refused()), b: () => "served" });
    const calls = Array.from({ length: 50 }, () => watch(balancer.call(run)));
    await clock.advance(0);
    expect(calls.every(({ value }) => value === "served")).toBe(true);
    expect(visits).toHaveLength(100);
    expect(balancer.snapshot().calls).toMatchObject({ requeues: 50, retriesDenied: 0 });
  });

  test("requeues denied: the error comes back", async () => {
    const { balancer, clock } = world(2, { ejection: false, requeueBudget: { ratio: 0, minPerSecond: 0, burst: 1 } });
    const denied = record(balancer, "budgetExhausted");
    const { run } = scripted<string>({ a: () => Promise.reject(refused()), b: () => "served" });
    const calls = Array.from({ length: 3 }, () => watch(balancer.call(run)));
    await clock.advance(0);
    expect(calls.map(({ state }) => state).sort()).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(denied.map((entry) => entry.record)).toEqual([
      { upstream: "orders", budget: "requeue" },
      { upstream: "orders", budget: "requeue" },
    ]);
    expect(calls.find(({ state }) => state === "rejected")?.error).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("off means unlimited, and the snapshot says null", async () => {
    const { balancer, clock } = world(3, { ejection: false, retryBudget: false, requeueBudget: false });
    const { run, visits } = scripted(failing);
    const calls = Array.from({ length: 100 }, () => watch(balancer.call(run, { idempotent: true })));
    await clock.advance(500);
    expect(visits).toHaveLength(300);
    expect(calls.every(({ state }) => state === "rejected")).toBe(true);
    expect(balancer.snapshot().budgets).toEqual({ retry: null, requeue: null });
  });

  test("are shared with derived balancers", async () => {
    const { balancer, clock } = world(3, { ejection: false, retryBudget: { ratio: 0, minPerSecond: 0, burst: 1 } });
    const { run, visits } = scripted(failing);
    const derived = balancer.derive({ strategy: first() });
    const calls = [watch(balancer.call(run, { idempotent: true })), watch(derived.call(run, { idempotent: true }))];
    await clock.advance(500);
    expect(visits).toHaveLength(3);
    expect(calls.map(({ state }) => state)).toEqual(["rejected", "rejected"]);
  });
});

describe("what an attempt holds", () => {
  test("the lease is kept until what was held is released, once", async () => {
    const { balancer } = world(1);
    const releases: ((late?: Report) => void)[] = [];
    await balancer.call(async (attempt) => {
      releases.push(attempt.hold(), attempt.hold());
    });
    expect(held(balancer)).toBe(1);
    releases[0]?.();
    releases[0]?.();
    expect(held(balancer)).toBe(1);
    releases[1]?.({ outcome: "failure" });
    expect(held(balancer)).toBe(0);
    expect(one(balancer, "a")).toMatchObject({ successes: 1, streamFailures: 1, failures: 0 });
  });

  test("a hold given back before the verdict changes nothing", async () => {
    const { balancer } = world(1);
    await balancer.call(async (attempt) => {
      attempt.hold()();
      expect(held(balancer)).toBe(1);
    });
    expect(held(balancer)).toBe(0);
  });

  test("holds of attempts that failed are waited for, too, and a close ends them", async () => {
    const { balancer, clock } = world(2);
    const call = watch(
      balancer.call(
        async (attempt) => {
          if (attempt.number > 1) return "served";
          attempt.hold();
          throw reset();
        },
        { idempotent: true },
      ),
    );
    await clock.advance(100);
    expect(call.value).toBe("served");
    expect(one(balancer, "a").requests).toBe(1);
    const closed = balancer.close({ drainMs: 50 });
    await clock.advance(50);
    await closed;
    expect(held(balancer)).toBe(0);
    expect(clock.pending).toBe(0);
  });
});

const rejectingLater = (): unknown => Promise.reject(new Error("later"));

const clueless: Classifier = () => {
  throw new Error("of the call");
};

describe("functions of the user that misbehave", () => {
  test("a classifier that throws: the next in line decides, and it is announced", async () => {
    const { balancer } = world(2, {
      classify: () => {
        throw new Error("of the balancer");
      },
    });
    const failures = record(balancer, "callbackFailed");
    expect(await balancer.call(async () => "served", { classify: clueless })).toBe("served");
    expect(failures.map((entry) => [entry.record.where, (entry.record.error as Error).message])).toEqual([
      ["classify", "of the call"],
      ["classify", "of the balancer"],
    ]);
    expect(one(balancer, "a").successes).toBe(1);
  });

  test.each(["good", 5, {}, { outcome: "fine" }, null])("a classifier that answers %o has no say", async (answer) => {
    const { balancer } = world(1);
    const failures = record(balancer, "callbackFailed");
    const classify = (() => answer) as unknown as Classifier;
    expect(await balancer.call(async () => "served", { classify })).toBe("served");
    expect(failures).toHaveLength(1);
    expect(one(balancer, "a").successes).toBe(1);
  });

  test("a classifier that is asynchronous and rejects: the call is served, nothing escapes", async () => {
    const { balancer } = world(1);
    const failures = record(balancer, "callbackFailed");
    const classify = (async () => Promise.reject(new Error("late"))) as unknown as Classifier;
    const leaked = await escaped(async () => {
      expect(await balancer.call(async () => "served", { classify })).toBe("served");
    });
    expect(failures.length).toBeGreaterThan(0);
    expect(leaked).toEqual([]);
  });

  test("listeners that throw, now or later, break nothing; each is announced, but for those of the announcement", async () => {
    const { balancer, clock } = world(2);
    const failures = record(balancer, "callbackFailed");
    balancer.on("callbackFailed", () => {
      throw new Error("deaf");
    });
    balancer.on("attemptRetried", () => {
      throw new Error("at once");
    });
    balancer.on("attemptRetried", rejectingLater);
    const { run } = scripted<string>({ a: () => Promise.reject(refused()), b: () => "served" });
    const leaked = await escaped(async () => {
      expect(await balancer.call(run)).toBe("served");
      await clock.advance(0);
    });
    expect(failures.map((entry) => (entry.record.error as Error).message).sort()).toEqual(["at once", "later"]);
    expect(failures.every((entry) => entry.record.where === "listener of attemptRetried")).toBe(true);
    expect(leaked).toEqual([]);
  });

  test("discard that throws, now or later: the call goes on, nothing escapes", async () => {
    for (const discard of [
      (): void => {
        throw new Error("at once");
      },
      (async () => Promise.reject(new Error("later"))) as () => void,
    ]) {
      const { balancer, clock } = world(2);
      const failures = record(balancer, "callbackFailed");
      const { run } = scripted<Reply>({ a: () => ({ status: 503 }), b: () => ({ status: 200 }) });
      const leaked = await escaped(async () => {
        const call = watch(balancer.call(run, { idempotent: true, classify: byStatus, discard }));
        await clock.advance(100);
        expect(call.value).toEqual({ status: 200 });
      });
      expect(leaked).toEqual([]);
      expect(failures.map((entry) => entry.record.where)).toEqual(["discard"]);
    }
  });

  test("onAbort that throws: the timeout takes its course, nothing escapes, and it is announced", async () => {
    const { balancer, clock } = world(2);
    const failures = record(balancer, "callbackFailed");
    const { run, visits } = scripted<string>({
      a: (attempt) => {
        attempt.onAbort(() => {
          throw new Error("broken abort");
        });
        return new Promise(() => {});
      },
      b: () => "served",
    });
    const leaked = await escaped(async () => {
      const call = watch(balancer.call(run, { idempotent: true, attemptTimeoutMs: 100 }));
      await clock.advance(200);
      expect(call.value).toBe("served");
    });
    expect(visits).toEqual(["a", "b"]);
    expect(leaked).toEqual([]);
    expect(failures).toHaveLength(1);
  });

  test("a rejection of a run that nobody waits for any more does not escape", async () => {
    const { balancer, clock } = world(1, { retry: false });
    const leaked = await escaped(async () => {
      const late = deferred<never>();
      const call = watch(balancer.call(() => late.promise, { attemptTimeoutMs: 50 }));
      await clock.advance(50);
      expect(call.state).toBe("rejected");
      late.reject(new Error("late"));
      await clock.advance(50);
    });
    expect(leaked).toEqual([]);
    expect(held(balancer)).toBe(0);
  });

  test("a report whose numbers are none leaves load and snapshot in order", async () => {
    const { balancer } = world(2);
    for (const latencyMs of [Number.NaN, Number.POSITIVE_INFINITY, -5]) {
      const lease = balancer.tryAcquire({ pinned: "a" });
      lease?.settle({ outcome: "success", latencyMs });
      lease?.release();
      const failed = balancer.tryAcquire({ pinned: "a" });
      failed?.settle({ outcome: "failure", latencyMs });
      failed?.release();
    }
    const snapshot = balancer.snapshot();
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    expect(one(balancer, "a").ewmaMs).toBeGreaterThanOrEqual(0);
  });
});

const aborted = async (how: (attempt: Attempt) => void): Promise<void> => {
  const { balancer, clock } = world(1, { retry: false });
  const call = watch(
    balancer.call(
      (attempt) => {
        how(attempt);
        return new Promise(() => {});
      },
      { attemptTimeoutMs: 100 },
    ),
  );
  await clock.advance(100);
  expect(call.state).toBe("rejected");
};

describe("the signal of an attempt", () => {
  test("is aborted with the timeout's error when the attempt is given up", async () => {
    let signal: AbortSignal | undefined;
    await aborted((attempt) => {
      signal = attempt.signal;
    });
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toMatchObject({ name: "TimeoutError", code: "FAIRLEAD_ERR_TIMEOUT" });
  });

  test("is aborted already, if it is first read later", async () => {
    let attempt: Attempt | undefined;
    await aborted((it) => {
      attempt = it;
    });
    expect(attempt?.signal.aborted).toBe(true);
    const reasons: unknown[] = [];
    attempt?.onAbort((reason) => reasons.push(reason));
    expect(reasons).toEqual([attempt?.signal.reason]);
  });

  test("every listener by onAbort is called, once", async () => {
    const heard: string[] = [];
    await aborted((attempt) => {
      attempt.onAbort(() => heard.push("first"));
      attempt.onAbort(() => heard.push("second"));
    });
    expect(heard).toEqual(["first", "second"]);
  });

  test("is left alone when the attempt works", async () => {
    const { balancer, clock } = world(1);
    let signal: AbortSignal | undefined;
    await balancer.call(async (attempt) => {
      signal = attempt.signal;
    });
    await clock.advance(60_000);
    expect(signal?.aborted).toBe(false);
  });
});

describe("the caller's signal", () => {
  const reason = { why: "an object of the caller" };

  test("aborted before the call: the same reason, and no attempt", async () => {
    const { balancer } = world(1);
    let ran = false;
    const call = balancer.call(
      async () => {
        ran = true;
      },
      { signal: AbortSignal.abort(reason) },
    );
    expect(await rejection(call)).toBe(reason);
    expect(ran).toBe(false);
    expect(balancer.snapshot().calls).toMatchObject({ calls: 1, aborted: 1, failed: 0 });
  });

  test("during an attempt: the same reason, at once, and the attempt hears it; the backend is not to blame", async () => {
    const { balancer, clock } = world(1);
    const controller = new AbortController();
    let heard: unknown;
    let signal: AbortSignal | undefined;
    const work = deferred();
    const call = watch(
      balancer.call(
        (attempt) => {
          signal = attempt.signal;
          attempt.onAbort((why) => {
            heard = why;
          });
          return work.promise;
        },
        { signal: controller.signal, idempotent: true },
      ),
    );
    await clock.advance(10);
    controller.abort(reason);
    await settle();
    expect(call.error).toBe(reason);
    expect(signal?.reason).toBe(reason);
    expect(heard).toBe(reason);
    // Its function is still at work: the place is taken until it has ended.
    expect(held(balancer)).toBe(1);
    work.reject(new Error("aborted"));
    await settle();
    expect(held(balancer)).toBe(0);
    expect(one(balancer, "a")).toMatchObject({ ignored: 1, failures: 0, p99Ms: 0, health: "healthy" });
    expect(abortListeners(controller.signal)).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("during an attempt: no blame, but an average below the caller's patience is raised to it, 5 s at most", async () => {
    const { balancer, clock } = world(1, { attemptTimeoutMs: false, deadlineMs: false });
    const abortAfter = async (ms: number): Promise<number> => {
      const controller = new AbortController();
      const call = watch(balancer.call(() => new Promise(nothing), { signal: controller.signal }));
      await clock.advance(ms);
      controller.abort(reason);
      await settle();
      expect(call.error).toBe(reason);
      return one(balancer, "a").ewmaMs;
    };
    expect(await abortAfter(400)).toBe(400);
    // Only faded, not lowered.
    expect(await abortAfter(10)).toBeCloseTo(400 * Math.exp(-10 / 10_000), 1);
    expect(await abortAfter(60_000)).toBe(5_000);
    expect(one(balancer, "a")).toMatchObject({ ignored: 3, failures: 0, p99Ms: 0 });
  });

  test("during a back-off: the same reason, at once, and no further attempt", async () => {
    const { balancer, clock } = world(2);
    const controller = new AbortController();
    const { run, visits } = scripted({ a: () => Promise.reject(reset()), b: () => 1 });
    const call = watch(balancer.call(run, { signal: controller.signal, idempotent: true }));
    await clock.advance(5);
    controller.abort(reason);
    await settle();
    expect(call.error).toBe(reason);
    await clock.advance(1_000);
    expect(visits).toEqual(["a"]);
    expect(abortListeners(controller.signal)).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("during the back-off after a status: the value that is not returned is discarded", async () => {
    const { balancer, clock } = world(2);
    const controller = new AbortController();
    const discarded: unknown[] = [];
    const call = watch(
      balancer.call<Reply>(async ({ backend }) => ({ status: 503, from: backend.id }), {
        signal: controller.signal,
        idempotent: true,
        classify: byStatus,
        discard: (value) => discarded.push(value),
      }),
    );
    await clock.advance(5);
    controller.abort(reason);
    await settle();
    expect(call.error).toBe(reason);
    expect(discarded).toEqual([{ status: 503, from: "a" }]);
    expect(held(balancer)).toBe(0);
  });

  test("during the wait in the queue: the same reason, and the place in the queue is free", async () => {
    const { balancer, clock } = world(1);
    balancer.observe("a", { outcome: "overload", retryAfterMs: 500 });
    const controller = new AbortController();
    const calls = [
      watch(balancer.call(async () => 1, { signal: controller.signal })),
      watch(balancer.acquire({}, { signal: controller.signal })),
    ];
    await clock.advance(10);
    expect(balancer.snapshot().waiting).toBe(2);
    controller.abort(reason);
    await settle();
    expect(calls.map(({ error }) => error)).toEqual([reason, reason]);
    expect(balancer.snapshot().waiting).toBe(0);
    expect(abortListeners(controller.signal)).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("while a body is held: the attempt hears it, the value stands", async () => {
    const { balancer } = world(1);
    const controller = new AbortController();
    let release: () => void = nothing;
    const signal = await balancer.call(
      async (attempt) => {
        release = attempt.hold();
        return attempt.signal;
      },
      { signal: controller.signal },
    );
    expect(abortListeners(controller.signal)).toBe(1);
    controller.abort(reason);
    expect(signal.reason).toBe(reason);
    release();
    expect(abortListeners(controller.signal)).toBe(0);
    expect(one(balancer, "a").successes).toBe(1);
  });

  test("after the body: nothing", async () => {
    const { balancer } = world(1);
    const controller = new AbortController();
    let release: () => void = nothing;
    const signal = await balancer.call(
      async (attempt) => {
        release = attempt.hold();
        return attempt.signal;
      },
      { signal: controller.signal },
    );
    release();
    expect(abortListeners(controller.signal)).toBe(0);
    controller.abort(reason);
    expect(signal.aborted).toBe(false);
  });

  test("keeps no listener of a call that is over, however it ended", async () => {
    const { balancer, clock } = world(2, { queue: { size: 0 } });
    const { signal } = new AbortController();
    const ends = [
      watch(balancer.call(async () => 1, { signal })),
      watch(balancer.call(async () => Promise.reject(new Error("plain")), { signal })),
      watch(balancer.call(async () => Promise.reject(reset()), { signal, idempotent: true })),
      watch(balancer.acquire({}, { signal })),
    ];
    await clock.advance(1_000);
    balancer.disable("a");
    balancer.disable("b");
    ends.push(watch(balancer.call(async () => 1, { signal })), watch(balancer.acquire({}, { signal })));
    await clock.advance(1_000);
    expect(ends.every(({ state }) => state !== "pending")).toBe(true);
    expect(abortListeners(signal)).toBe(0);
  });

  test("keeps no listener of a call that was answered while an attempt that timed out never ends", async () => {
    const { balancer, clock } = world(2);
    const { signal } = new AbortController();
    const { run } = scripted<string>({ a: () => new Promise(() => {}), b: () => "served" });
    const call = watch(balancer.call(run, { signal, idempotent: true, attemptTimeoutMs: 50 }));
    await clock.advance(1_000);
    expect(call.value).toBe("served");
    expect(abortListeners(signal)).toBe(0);
  });

  test("a late value of an attempt that the caller left is discarded", async () => {
    const { balancer } = world(1);
    const controller = new AbortController();
    const work = deferred<string>();
    const discarded: string[] = [];
    const call = watch(
      balancer.call(() => work.promise, { signal: controller.signal, discard: (value) => void discarded.push(value) }),
    );
    controller.abort(reason);
    await settle();
    expect(call.error).toBe(reason);
    work.resolve("too late");
    await settle();
    expect(discarded).toEqual(["too late"]);
    expect(held(balancer)).toBe(0);
  });
});

describe("timeouts", () => {
  test("an attempt without an answer is given up, and another backend is asked", async () => {
    const { balancer, clock } = world(2);
    const { run, visits } = scripted<string>({ a: () => new Promise(() => {}), b: () => "served" });
    const call = watch(balancer.call(run, { idempotent: true, attemptTimeoutMs: 100 }));
    await clock.advance(99);
    expect(visits).toEqual(["a"]);
    await clock.advance(14);
    expect(call.value).toBe("served");
    expect(one(balancer, "a")).toMatchObject({ failures: 1, ewmaMs: expect.closeTo(1_000, -2) });
    expect(balancer.snapshot().calls).toMatchObject({ timeouts: 1, retries: 1, succeeded: 1 });
  });

  test("unless retries after timeouts are off", async () => {
    const { balancer, clock } = world(2, { retry: { retryOnTimeout: false } });
    const call = watch(balancer.call(() => new Promise(() => {}), { idempotent: true, attemptTimeoutMs: 100 }));
    await clock.advance(100);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_TIMEOUT" });
    expect(balancer.snapshot().backends.map(({ attempts }) => attempts)).toEqual([1, 0]);
  });

  test("what never ends keeps its place; what ends late gives it back, and its value is discarded", async () => {
    const { balancer, clock } = world(2);
    const late = deferred<string>();
    const discarded: string[] = [];
    const { run } = scripted<string>({ a: () => late.promise, b: () => "served" });
    const call = watch(
      balancer.call(run, { idempotent: true, attemptTimeoutMs: 100, discard: (value) => void discarded.push(value) }),
    );
    await clock.advance(200);
    expect(call.value).toBe("served");
    await clock.advance(60_000);
    expect(one(balancer, "a").requests).toBe(1);
    late.resolve("too late");
    await settle();
    expect(discarded).toEqual(["too late"]);
    expect(held(balancer)).toBe(0);
    expect(one(balancer, "a")).toMatchObject({ failures: 1, successes: 0 });
    expect(clock.pending).toBe(0);
  });

  test("the deadline ends the call with a TimeoutError that lists every attempt", async () => {
    const { balancer, clock } = world(3);
    const { run } = scripted<string>({
      a: () => Promise.reject(reset()),
      b: () => new Promise(() => {}),
      c: () => new Promise(() => {}),
    });
    const call = watch(balancer.call(run, { idempotent: true, attemptTimeoutMs: 100, deadlineMs: 180 }));
    await clock.advance(179);
    expect(call.state).toBe("pending");
    await clock.advance(1);
    const error = call.error as FairleadError;
    expect(error).toMatchObject({ name: "TimeoutError", code: "FAIRLEAD_ERR_TIMEOUT" });
    expect(error.attempts).toEqual([
      { backend: "a", outcome: "failure", errorCode: "UND_ERR_SOCKET", ms: 0, sent: true },
      { backend: "b", outcome: "failure", errorCode: "FAIRLEAD_ERR_TIMEOUT", ms: 100, sent: true },
      { backend: "c", outcome: "failure", errorCode: "FAIRLEAD_ERR_TIMEOUT", ms: 42.5, sent: true },
    ]);
    expect(clock.pending).toBe(0);
  });

  test("no attempt begins whose back-off would end after the deadline: the failure comes back now", async () => {
    const { balancer, clock } = world(3, { retry: { delayMs: 200 } });
    const { run, visits } = scripted({ a: () => Promise.reject(reset()), b: () => 1 });
    const call = watch(balancer.call(run, { idempotent: true, deadlineMs: 100 }));
    await clock.advance(0);
    expect(call.error).toMatchObject({ code: "UND_ERR_SOCKET" });
    expect(visits).toEqual(["a"]);
    expect(balancer.snapshot().calls.retries).toBe(0);
  });

  test("a value is not held back by a back-off that would end after the deadline", async () => {
    const { balancer, clock } = world(3, { retry: { delayMs: 200 } });
    const call = watch(
      balancer.call<Reply>(async () => ({ status: 503 }), { idempotent: true, classify: byStatus, deadlineMs: 100 }),
    );
    await clock.advance(0);
    expect(call.value).toEqual({ status: 503 });
  });

  test("reach to the headers only: a body that is held has no limit", async () => {
    const { balancer, clock } = world(1);
    let attempt: Attempt | undefined;
    await balancer.call(
      async (it) => {
        attempt = it;
        it.hold();
      },
      { attemptTimeoutMs: 100, deadlineMs: 200 },
    );
    await clock.advance(3_600_000);
    expect(attempt?.signal.aborted).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe("errors", () => {
  test("tell apart by code, and by class across duplicate installs", async () => {
    const { balancer } = world(1);
    balancer.disable("a");
    const error = await rejection(balancer.call(async () => 1));
    expect(error).toBeInstanceOf(FairleadError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND", attempts: [] });
    const fromElsewhere = Object.defineProperty(new Error("same brand"), Symbol.for("fairlead.error"), { value: true });
    expect(fromElsewhere).toBeInstanceOf(FairleadError);
    expect(new Error("none")).not.toBeInstanceOf(FairleadError);
  });

  test("an error of another balancer, called inside, is a plain one here: every attempt is named", async () => {
    const inner = world(1);
    inner.balancer.disable("a");
    const { balancer, clock } = world(2, { retry: { limit: 1 } });
    const call = watch(balancer.call(() => inner.balancer.call(async () => 1), { idempotent: true }));
    await clock.advance(100);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_RETRIES_EXHAUSTED" });
    expect((call.error as FairleadError).attempts.map(({ backend }) => backend)).toEqual(["a", "b"]);
  });
});
