// What a user can say of retries, on the whole way of a call, under a virtual clock.
import { concurrencyBudget, type FailedAttempt } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { byStatus, type Reply } from "./support/replies.ts";
import { escaped, held, one, record, refused, reset, scripted, settle, watch, world } from "./support/world.ts";

const options = { idempotent: true, classify: byStatus };

describe("a short Retry-After", () => {
  test("of a rate limit is waited for, and the call made again", async () => {
    const { balancer, clock } = world(2);
    let asked = 0;
    const visits: string[] = [];
    const call = watch(
      balancer.call<Reply>(async ({ backend }) => {
        visits.push(backend.id);
        return asked++ === 0 ? { status: 429, retryAfterMs: 1_000 } : { status: 200 };
      }, options),
    );
    // Uniform from 1,000 to 1,500, and the generator says 0.5.
    await clock.advance(1_249);
    expect([call.state, visits]).toEqual(["pending", ["a"]]);
    await clock.advance(1);
    expect(call.value).toEqual({ status: 200 });
    expect(visits).toHaveLength(2);
    expect(balancer.snapshot().calls.retries).toBe(1);
  });

  test("that ends after the deadline is not: the answer comes back at once", async () => {
    const { balancer, clock } = world(2);
    const reply = { status: 429, retryAfterMs: 900 };
    const call = watch(balancer.call<Reply>(async () => reply, { ...options, deadlineMs: 1_000 }));
    await settle();
    expect(call.value).toBe(reply);
    expect(clock.pending).toBe(0);
  });

  test("of an overload is waited for only when nobody else takes the call", async () => {
    const { balancer, clock } = world(2);
    const { run, visits } = scripted<Reply>({
      a: () => ({ status: 503, retryAfterMs: 800 }),
      b: () => ({ status: 200 }),
    });
    const elsewhere = watch(balancer.call(run, options));
    await settle();
    expect([elsewhere.value?.status, visits]).toEqual([200, ["a", "b"]]);

    const alone = world(1);
    let asked = 0;
    const call = watch(
      alone.balancer.call<Reply>(
        async () => (asked++ === 0 ? { status: 503, retryAfterMs: 800 } : { status: 200 }),
        options,
      ),
    );
    await alone.clock.advance(999);
    expect(call.state).toBe("pending");
    await alone.clock.advance(1);
    expect(call.value).toEqual({ status: 200 });
    expect(one(alone.balancer, "a").attempts).toBe(2);
    await clock.advance(0);
  });

  test("is given up when the caller leaves or the balancer closes; the caller's reason and the last answer come back", async () => {
    const { balancer, clock } = world(1);
    const reply = { status: 429, retryAfterMs: 1_000 };
    const controller = new AbortController();
    const left = watch(balancer.call<Reply>(async () => reply, { ...options, signal: controller.signal }));
    await settle();
    controller.abort("left");
    await settle();
    expect(left.error).toBe("left");
    balancer.enable("a");
    const closed = watch(balancer.call<Reply>(async () => reply, options));
    await settle();
    await balancer.close();
    expect(closed.value).toBe(reply);
    expect([held(balancer), clock.pending]).toEqual([0, 0]);
  });
});

describe("shouldRetry", () => {
  test("is told of each attempt that was no success, and has the last word but for limit and budget", async () => {
    const { balancer, clock } = world(3, { retry: { limit: 1, jitter: false } });
    const seen: FailedAttempt[] = [];
    const { run, visits } = scripted<Reply>({
      a: () => Promise.reject(reset()),
      b: () => ({ status: 500 }),
      c: () => ({ status: 200 }),
    });
    const call = watch(
      balancer.call(run, {
        classify: byStatus,
        retry: {
          shouldRetry: (attempt) => {
            seen.push(attempt);
            return true;
          },
        },
      }),
    );
    await clock.advance(25);
    expect(call.value).toEqual({ status: 500 });
    expect(visits).toEqual(["a", "b"]);
    expect(
      seen.map(({ backend, number, report, sent, error, value }) => [
        backend.id,
        number,
        report.status,
        sent,
        error,
        value,
      ]),
    ).toEqual([
      ["a", 1, undefined, true, expect.any(Error), undefined],
      ["b", 2, 500, true, undefined, { status: 500 }],
    ]);
  });

  test("can forbid what would be repeated: the failure comes back as it is", async () => {
    const { balancer } = world(2);
    const error = refused();
    const call = watch(balancer.call(async () => Promise.reject(error), { retry: { shouldRetry: () => false } }));
    await settle();
    expect(call.error).toBe(error);
    expect(balancer.snapshot().calls).toMatchObject({ requeues: 0, failed: 1 });
  });

  test("that throws, or answers with a promise or nonsense, has no say", async () => {
    const answers: (() => never)[] = [
      () => {
        throw new Error("broken");
      },
      (() => Promise.reject(new Error("later"))) as unknown as () => never,
      (() => "yes") as unknown as () => never,
    ];
    for (const shouldRetry of answers) {
      const { balancer, clock } = world(2);
      const failures = record(balancer, "callbackFailed");
      const { run, visits } = scripted<string>({ a: () => Promise.reject(reset()), b: () => "good" });
      const escapes = await escaped(async () => {
        const call = watch(balancer.call(run, { idempotent: true, retry: { shouldRetry } }));
        await clock.advance(50);
        expect(call.value).toBe("good");
      });
      expect(escapes).toEqual([]);
      expect(visits).toEqual(["a", "b"]);
      expect(failures.every((entry) => entry.record.where === "shouldRetry")).toBe(true);
      expect(failures.length).toBeGreaterThan(0);
    }
  });
});

describe("a delay of the user", () => {
  test("is asked with the number of the retry", async () => {
    const asked: number[] = [];
    const { balancer, clock } = world(3, {
      retry: {
        jitter: false,
        delayMs: (retry) => {
          asked.push(retry);
          return 100 * retry;
        },
      },
    });
    const call = watch(balancer.call(async () => Promise.reject(reset()), { idempotent: true }));
    await clock.advance(299);
    expect(call.state).toBe("pending");
    await clock.advance(1);
    expect(call.state).toBe("rejected");
    expect(asked).toEqual([1, 2]);
  });

  test("that throws is none", async () => {
    const { balancer } = world(2, {
      retry: {
        delayMs: () => {
          throw new Error("broken");
        },
      },
    });
    const { run } = scripted<string>({ a: () => Promise.reject(reset()), b: () => "good" });
    const failures = record(balancer, "callbackFailed");
    const call = watch(balancer.call(run, { idempotent: true }));
    await settle();
    expect(call.value).toBe("good");
    expect(failures.map((entry) => entry.record.where)).toEqual(["retry delay"]);
  });
});

describe("a concurrency budget", () => {
  test("frees its place when the retry has ended, its body included, however the call ends", async () => {
    const { balancer, clock } = world(2, {
      retryBudget: concurrencyBudget({ ratio: 0, minConcurrency: 1 }),
      retry: { delayMs: 0 },
    });
    const { run } = scripted<string>({
      a: () => Promise.reject(reset()),
      b: async (attempt) => {
        release = attempt.hold();
        return "held";
      },
    });
    let release: (() => void) | undefined;
    const first = watch(balancer.call(run, { idempotent: true }));
    await settle();
    expect(first.value).toBe("held");
    expect(balancer.snapshot().budgets.retry).toBe(0);
    const second = watch(balancer.call(run, { idempotent: true }));
    await settle();
    expect(second.state).toBe("rejected");
    expect(balancer.snapshot().calls.retriesDenied).toBe(1);
    release?.();
    expect(balancer.snapshot().budgets.retry).toBe(1);
    await clock.advance(0);
  });

  test("can be put in the place of a share while calls are under way, and back", async () => {
    const { balancer } = world(1);
    expect(balancer.snapshot().budgets.retry).toBe(10);
    balancer.configure({ retryBudget: concurrencyBudget() });
    expect(balancer.snapshot().budgets.retry).toBe(3);
    balancer.configure({ retryBudget: { burst: 5 } });
    expect(balancer.snapshot().budgets.retry).toBe(5);
    balancer.configure({ retryBudget: false });
    expect(balancer.snapshot().budgets.retry).toBeNull();
  });
});

test("wrong options are named, all at once", () => {
  const wrong = {
    limit: 1.5,
    afterStatusCodes: [200],
    maxRetryAfterMs: -1,
    delayMs: "fast",
    jitter: true,
    shouldRetry: false,
    backoffLimit: 5,
  };
  expect(() => world(1, { retry: wrong as never })).toThrow(
    expect.objectContaining({
      problems: [
        expect.objectContaining({ path: "retry.backoffLimit", didYouMean: "backoffLimitMs" }),
        ...["limit", "afterStatusCodes", "maxRetryAfterMs", "delayMs", "jitter", "shouldRetry"].map((key) =>
          expect.objectContaining({ path: `retry.${key}` }),
        ),
      ],
    }),
  );
});
