import { expect, test } from "vitest";
import {
  type Attempt,
  type Balancer,
  type BalancerOptions,
  type Clock,
  concurrencyBudget,
  createBalancer,
  rateLimit,
  type Timer,
} from "../src/index.ts";
import { type VirtualClock, virtualClock } from "../src/testing/index.ts";
import { watch } from "./support/world.ts";

/** Timers as in workerd: each belongs to the request that made it, runs in its name, and is gone with it. */
class Requests {
  readonly time: VirtualClock = virtualClock();
  current = "";
  readonly #timers = new Map<string, Set<Timer>>();

  get clock(): Clock {
    const { time } = this;
    const schedule: Clock["schedule"] = (delayMs, callback) => {
      const owner = this.current;
      const timer = time.schedule(delayMs, () => this.run(owner, callback));
      const timers = this.#timers.get(owner) ?? new Set();
      this.#timers.set(owner, timers.add(timer));
      return timer;
    };
    return { now: () => time.now(), wallNow: () => time.wallNow(), schedule, background: false };
  }

  run<T>(request: string, work: () => T): T {
    const before = this.current;
    this.current = request;
    try {
      return work();
    } finally {
      this.current = before;
    }
  }

  /** It has ended, and whatever it was waiting for never comes. */
  end(request: string): void {
    for (const timer of this.#timers.get(request) ?? []) timer.cancel();
  }
}

function open(requests: Requests, options: Partial<BalancerOptions>): Balancer {
  return createBalancer({ name: "orders", backends: ["http://127.0.0.1:1"], clock: requests.clock, ...options });
}

/** In whose name its attempt was made, how it ended, and how to let it succeed. */
interface Record {
  ranIn?: string;
  ended?: string;
  end(): void;
}

/** Makes a call in the name of a request. */
function call(requests: Requests, orders: Balancer, request: string): Record {
  const done = Promise.withResolvers<void>();
  const record: Record = { end: () => requests.run(request, done.resolve) };
  const run = (): Promise<void> => {
    record.ranIn = requests.current;
    return done.promise;
  };
  requests
    .run(request, () => orders.call(run))
    .then(
      () => void (record.ended = "served"),
      (error: { code: string }) => void (record.ended = error.code),
    );
  return record;
}

test("whoever waits for a place takes it in its own request's name", async () => {
  const requests = new Requests();
  const orders = open(requests, { limits: { maxConcurrent: 1 } });
  const [a, b, c] = ["a", "b", "c"].map((request) => call(requests, orders, request));
  expect(a?.ranIn).toBe("a");
  a?.end();
  await requests.time.advance(0);
  expect([a?.ended, b?.ranIn, c?.ranIn]).toEqual(["served", undefined, undefined]);
  await requests.time.advance(25);
  expect([b?.ranIn, c?.ranIn]).toEqual(["b", undefined]);
  b?.end();
  await requests.time.advance(25);
  expect(c?.ranIn).toBe("c");
  c?.end();
  await requests.time.advance(0);
  expect([orders.backends[0]?.inFlight("request"), requests.time.pending]).toEqual([0, 0]);
});

test("whoever waits and gives up, or is aborted, leaves nothing behind", async () => {
  const requests = new Requests();
  const orders = open(requests, { limits: { maxConcurrent: 1 }, queue: { timeoutMs: 100 } });
  const a = call(requests, orders, "a");
  const b = call(requests, orders, "b");
  const controller = new AbortController();
  const c = requests.run("c", () => orders.acquire({}, { signal: controller.signal }));
  controller.abort(new Error("gone"));
  await expect(c).rejects.toThrow("gone");
  await requests.time.advance(100);
  expect(b.ended).toBe("FAIRLEAD_ERR_LIMIT");
  a.end();
  await requests.time.advance(0);
  expect(requests.time.pending).toBe(0);
});

test("a request that is gone takes no place in the queue for longer than it would have waited", async () => {
  const requests = new Requests();
  const orders = open(requests, { limits: { maxConcurrent: 1 }, queue: { timeoutMs: 100, size: 1 } });
  const a = call(requests, orders, "a");
  call(requests, orders, "gone");
  requests.end("gone");
  const refused = call(requests, orders, "b");
  await requests.time.advance(0);
  expect(refused.ended).toBe("FAIRLEAD_ERR_LIMIT");
  await requests.time.advance(150);
  const waiting = call(requests, orders, "c");
  a.end();
  await requests.time.advance(25);
  expect(waiting.ranIn).toBe("c");
});

test("whoever waits for a token takes it in its own request's name, be those before it gone", async () => {
  const requests = new Requests();
  const orders = open(requests, {
    limits: { rate: rateLimit({ perSecond: 10, burst: 1, delay: true }) },
    queue: { timeoutMs: 1_000, size: 3 },
  });
  const [a, , c, d] = ["a", "gone", "c", "d"].map((request) => call(requests, orders, request));
  requests.end("gone");
  await requests.time.advance(100);
  expect(a?.ranIn).toBe("a");
  expect([c?.ranIn, d?.ranIn].filter((owner) => owner !== undefined)).toHaveLength(1);
  await requests.time.advance(100);
  // Turns go on in the name of the call's own promise.
  expect([c, d].map((one) => one?.ranIn !== undefined)).toEqual([true, true]);
  expect(orders.snapshot().limits.rate?.waiting).toBe(1);
  await requests.time.advance(1_000);
  call(requests, orders, "e");
  expect(orders.snapshot().limits.rate?.waiting).toBe(0);
});

test("what a request holds that is gone comes back after its deadline", async () => {
  const requests = new Requests();
  const orders = open(requests, { limits: { maxConcurrent: 1 }, attemptTimeoutMs: 500, deadlineMs: 1_000 });
  call(requests, orders, "gone");
  requests.end("gone");
  await requests.time.advance(5_000);
  const early = call(requests, orders, "a");
  await requests.time.advance(25);
  expect(early.ranIn).toBeUndefined();
  await requests.time.advance(1_500);
  const later = call(requests, orders, "b");
  expect(later.ranIn).toBe("b");
  later.end();
  await requests.time.advance(0);
  expect(orders.backends[0]?.inFlight("request")).toBe(0);
});

test("so does the place of a body that a request has left behind", async () => {
  const requests = new Requests();
  const orders = open(requests, { limits: { maxConcurrent: 1 }, bodyIdleTimeoutMs: 20_000 });
  const attempts: Attempt[] = [];
  await orders.call(async (attempt) => {
    attempt.hold();
    attempt.touch();
    attempts.push(attempt);
  });
  await requests.time.advance(15_000);
  attempts[0]?.touch();
  await requests.time.advance(24_000);
  const early = call(requests, orders, "a");
  expect(early.ranIn).toBeUndefined();
  await requests.time.advance(1_500);
  expect(call(requests, orders, "b").ranIn).toBe("b");
});

test("a body of which nobody says anything is left alone", async () => {
  const requests = new Requests();
  const orders = open(requests, { limits: { maxConcurrent: 1 }, bodyIdleTimeoutMs: 20_000 });
  await orders.call(async (attempt) => void attempt.hold());
  await requests.time.advance(60_000);
  expect(call(requests, orders, "a").ranIn).toBeUndefined();
});

test("so does what a request has paid for a repeat that it has not lived to see", async () => {
  const requests = new Requests();
  const orders = open(requests, {
    ejection: false,
    retry: { delayMs: 100, jitter: false },
    retryBudget: concurrencyBudget({ ratio: 0, minConcurrency: 1 }),
    deadlineMs: 1_000,
  });
  let attempts = 0;
  const fail = (): Promise<never> => {
    attempts++;
    return Promise.reject(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
  };
  const start = (): Promise<unknown> =>
    orders.call(fail, { idempotent: true, retry: { limit: 1 } }).catch(() => "failed");
  // What its promises do is done in its name, too.
  requests.current = "gone";
  watch(start());
  await requests.time.advance(50);
  requests.end("gone");
  requests.current = "next";
  await requests.time.advance(10_000);
  expect(attempts).toBe(1);
  const next = watch(start());
  await requests.time.advance(200);
  expect([next.value, attempts]).toEqual(["failed", 3]);
});
