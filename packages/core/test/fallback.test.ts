// Where the answer comes from when no backend has one, under a virtual clock.
import { type Fallback, fallbackTo, fallbackWith, lastGood } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { timed } from "./support/timed.ts";
import {
  abortListeners,
  deferred,
  escaped,
  held,
  one,
  record,
  rejection,
  reset,
  settle,
  watch,
  world,
} from "./support/world.ts";

const failing = async (): Promise<never> => {
  throw reset();
};

describe("another balancer", () => {
  test("takes over a call that fails, within what is left of its deadline, and announces it", async () => {
    const home = world([{ id: "home", url: "http://home.test" }]);
    const away = world([{ id: "away", url: "http://away.test" }], { clock: home.clock });
    const { run, visits } = timed(home.clock, { home: { afterMs: 100, error: reset() }, away: { afterMs: 10 } });
    const announced = record(home.balancer, "callFellBack");
    const options = { fallback: fallbackTo(away.balancer), deadlineMs: 1_000 };
    const call = watch(home.balancer.call(run, options));
    await home.clock.advance(110);
    expect(call.value).toBe("away");
    expect(visits).toEqual(["home", "away"]);
    expect(announced.map((entry) => entry.record)).toEqual([{ upstream: "orders", fallback: "upstream orders" }]);
    expect(home.balancer.snapshot().calls).toMatchObject({ calls: 1, succeeded: 0, failed: 0, fallbacks: 1 });
    expect([held(home.balancer), held(away.balancer), home.clock.pending]).toEqual([0, 0, 0]);
  });

  test("that fails as well leaves the first failure as it was", async () => {
    const home = world(1);
    const away = world(1, { clock: home.clock, fallback: fallbackTo(home.balancer) });
    home.balancer.configure({ fallback: fallbackTo(away.balancer) });
    const first = reset();
    let calls = 0;
    const error = await rejection(home.balancer.call(async () => Promise.reject(calls++ === 0 ? first : reset())));
    expect(error).toBe(first);
    // Not back and forth: the fallback's fallback is not asked.
    expect(calls).toBe(2);
    expect(home.balancer.snapshot().calls).toMatchObject({ failed: 1, fallbacks: 0 });
  });

  test("is asked when there is no backend, too; not when the caller has left or the balancer closes", async () => {
    const home = world(1);
    const away = world([{ id: "away", url: "http://away.test" }], { clock: home.clock });
    home.balancer.configure({ fallback: fallbackTo(away.balancer) });
    home.balancer.disable("a");
    expect(await home.balancer.call(async ({ backend }) => backend.id)).toBe("away");
    const controller = new AbortController();
    controller.abort(new Error("gone"));
    expect(await rejection(home.balancer.call(failing, { signal: controller.signal }))).toBe(controller.signal.reason);
    expect(one(away.balancer, "away").attempts).toBe(1);
  });
});

describe("a function", () => {
  test("answers, is told what happened, and the answer it replaces is let go", async () => {
    const { balancer } = world(1, {
      retry: false,
      classify: ({ value }) => (value === 503 ? { outcome: "failure", status: 503 } : undefined),
    });
    const discarded: number[] = [];
    const fallback = fallbackWith(({ upstream, value, error }) =>
      error === undefined ? `${upstream} ${String(value)}` : "error",
    );
    const options = { fallback, discard: (value: number) => void discarded.push(value) };
    expect(await balancer.call(async () => 503, options)).toBe("orders 503");
    expect(discarded).toEqual([503]);
    expect(await balancer.call(failing, options)).toBe("error");
    expect(held(balancer)).toBe(0);
  });

  test("is not asked about a good answer, nor about one that is the caller's doing", async () => {
    const { balancer } = world(1, { classify: ({ error }) => (error instanceof RangeError ? "ignored" : undefined) });
    const fallback = fallbackWith(() => "fallback");
    expect(await balancer.call(async () => "good", { fallback })).toBe("good");
    const mine = new RangeError("mine");
    expect(await rejection(balancer.call(async () => Promise.reject(mine), { fallback }))).toBe(mine);
  });

  test("that throws, rejects or is switched off leaves the failure as it was", async () => {
    const { balancer } = world(1, { fallback: fallbackWith(() => "never") });
    const error = reset();
    const fail = async () => Promise.reject(error);
    const throwing = fallbackWith(() => {
      throw new Error("no");
    });
    const rejecting = fallbackWith(() => Promise.reject(new Error("no")));
    const escapes = await escaped(async () => {
      for (const fallback of [throwing, rejecting, false] as const)
        expect(await rejection(balancer.call(fail, { fallback }))).toBe(error);
    });
    expect(escapes).toEqual([]);
    expect(balancer.snapshot().calls).toMatchObject({ failed: 3, fallbacks: 0 });
  });

  test("that never settles ends with the deadline; what it says later is let go", async () => {
    const { balancer, clock } = world(1, { retry: false });
    const answer = deferred<string>();
    let signal: AbortSignal | undefined;
    const fallback = fallbackWith((failed) => {
      ({ signal } = failed);
      return answer.promise;
    });
    const discarded: string[] = [];
    const error = reset();
    const call = watch(
      balancer.call<string>(async () => Promise.reject(error), {
        fallback,
        deadlineMs: 100,
        discard: (value) => void discarded.push(value),
      }),
    );
    await clock.advance(99);
    expect([call.state, signal?.aborted]).toEqual(["pending", false]);
    await clock.advance(1);
    expect(call.error).toBe(error);
    expect(signal?.aborted).toBe(true);
    answer.resolve("late");
    await settle();
    expect(discarded).toEqual(["late"]);
    expect(clock.pending).toBe(0);
  });

  test("ends when the caller leaves or the balancer closes", async () => {
    const { balancer, clock } = world(1, { retry: false });
    const reasons: unknown[] = [];
    const fallback = fallbackWith(({ signal }) => {
      signal.addEventListener("abort", () => reasons.push(signal.reason));
      return new Promise(() => {});
    });
    const controller = new AbortController();
    const left = watch(balancer.call(failing, { fallback, signal: controller.signal }));
    const closed = watch(balancer.call(failing, { fallback, deadlineMs: false }));
    await settle();
    controller.abort("left");
    await settle();
    expect(left.error).toBe("left");
    expect(abortListeners(controller.signal)).toBe(0);
    await balancer.close();
    expect(closed.error).toMatchObject({ code: "FAIRLEAD_ERR_CLOSED" });
    expect(reasons).toEqual(["left", closed.error]);
    expect(clock.pending).toBe(0);
  });
});

describe("the last good value", () => {
  test("answers for the same key, as long as it is not too old", async () => {
    const { balancer, clock } = world(1, { fallback: lastGood({ maxAgeMs: 1_000 }), ejection: false, retry: false });
    const ask = (key: string, answer: () => Promise<string>): Promise<string> =>
      balancer.call(answer, { fallbackKey: key });
    expect(await ask("x", async () => "fresh")).toBe("fresh");
    await settle();
    await clock.advance(1_000);
    expect(await ask("x", failing)).toBe("fresh");
    expect(await rejection(ask("y", failing))).toMatchObject({ code: "UND_ERR_SOCKET" });
    expect(await rejection(balancer.call(failing))).toMatchObject({ code: "UND_ERR_SOCKET" });
    await clock.advance(1);
    expect(await rejection(ask("x", failing))).toMatchObject({ code: "UND_ERR_SOCKET" });
  });

  test("answers even where the deadline has passed: it takes no time", async () => {
    const { balancer, clock } = world(1, { fallback: lastGood(), deadlineMs: 50 });
    await balancer.call(async () => "fresh", { fallbackKey: "x" });
    await settle();
    const call = watch(balancer.call(() => new Promise<string>(() => {}), { fallbackKey: "x" }));
    await clock.advance(50);
    expect(call.value).toBe("fresh");
  });

  test("is kept for so many keys, those renewed last; what keep says is kept, give gives it", async () => {
    const kept = lastGood({
      maxKeys: 2,
      keep: async (value) => (value === "skip" ? undefined : { text: value }),
      give: (entry) => `kept ${(entry as { text: string }).text}`,
    });
    const { balancer } = world(1, { fallback: kept, ejection: false, retry: false });
    for (const key of ["x", "y", "x", "z"]) {
      await balancer.call(async () => key, { fallbackKey: key });
      await settle();
    }
    await balancer.call(async () => "skip", { fallbackKey: "x" });
    await settle();
    const ask = (key: string): Promise<unknown> => balancer.call(failing, { fallbackKey: key });
    expect(await ask("x")).toBe("kept x");
    expect(await ask("z")).toBe("kept z");
    expect(await rejection(ask("y"))).toMatchObject({ code: "UND_ERR_SOCKET" });
  });

  test("is the latest, though an earlier one took longer to keep", async () => {
    const slow = deferred<string>();
    const kept = lastGood({ keep: (value) => (value === "early" ? slow.promise : value) });
    const { balancer, clock } = world(1, { fallback: kept, retry: false });
    const ask = (answer: () => Promise<string>): Promise<string> => balancer.call(answer, { fallbackKey: "x" });
    await ask(async () => "early");
    await clock.advance(1);
    await ask(async () => "late");
    slow.resolve("early");
    await settle();
    expect(await ask(failing)).toBe("late");
  });

  test("whose keep throws or rejects hurts no call", async () => {
    for (const keep of [
      () => {
        throw new Error("keep");
      },
      () => Promise.reject(new Error("keep")),
    ]) {
      const { balancer } = world(1, { fallback: lastGood({ keep }) });
      const failures = record(balancer, "callbackFailed");
      const escapes = await escaped(async () => {
        expect(await balancer.call(async () => "good", { fallbackKey: "x" })).toBe("good");
      });
      expect(escapes).toEqual([]);
      expect(failures.map((entry) => entry.record.where)).toEqual(["fallback observe"]);
    }
  });
});

test("a user's own fallback may throw whenever it likes", async () => {
  const broken: Fallback = {
    name: "broken",
    answer: () => {
      throw new Error("answer");
    },
    observe: () => {
      throw new Error("observe");
    },
  };
  const { balancer } = world(1, { fallback: broken });
  expect(await balancer.call(async () => "good")).toBe("good");
  expect(await rejection(balancer.call(failing))).toMatchObject({ code: "UND_ERR_SOCKET" });
});

const problems = async (make: () => unknown): Promise<unknown> =>
  ((await rejection((async () => make())())) as { problems: { path: string }[] }).problems.map(({ path }) => path);

test("wrong options are named", async () => {
  expect(await problems(() => fallbackTo({} as never))).toEqual(["balancer"]);
  expect(await problems(() => fallbackWith("no" as never))).toEqual(["answer"]);
  expect(await problems(() => lastGood({ maxAgeMs: 0, maxKeys: 0.5, keep: 1 } as never))).toEqual([
    "maxAgeMs",
    "maxKeys",
    "keep",
  ]);
  expect(await problems(() => world(1, { fallback: 5 as never }))).toEqual(["fallback"]);
});
