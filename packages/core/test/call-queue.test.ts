// Calls and leases for which no backend is free: who waits, how long, and who is served first.
import { type Breaker, type BreakerProvider, first } from "@fairlead/core";
import { describe, expect, test } from "vitest";
import { deferred, held, named, one, refused, rejection, settle, watch, world } from "./support/world.ts";

/** A gate that a test opens and closes by hand, with room for `places` attempts without a verdict. */
function turnstile(places = Number.POSITIVE_INFINITY) {
  const gates = new Map<string, { open: boolean; taken: number; changed: () => void }>();
  const provider: BreakerProvider = {
    name: "turnstile",
    create: (context): Breaker => {
      const gate = { open: true, taken: 0, changed: () => context.changed() };
      gates.set(context.backend, gate);
      return {
        state: "closed",
        admits: () => gate.open && gate.taken < places,
        enter: () => ++gate.taken,
        report: () => void gate.taken--,
        [Symbol.dispose]: () => {},
      };
    },
  };
  const set = (open: boolean, ids: string[]): void => {
    for (const [id, gate] of gates) if (ids.length === 0 || ids.includes(id)) gate.open = open;
  };
  return {
    provider,
    shut: (...ids: string[]) => set(false, ids),
    /** Opens without a word: the balancer has to notice. */
    open: (...ids: string[]) => set(true, ids),
    announce: () => {
      for (const { changed } of gates.values()) changed();
    },
  };
}

describe("with nobody free", () => {
  test("a call waits and is served as soon as a place is free", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(1, { breaker: gate.provider });
    gate.shut();
    const call = watch(balancer.call(async ({ backend }) => backend.id));
    await clock.advance(100);
    expect(call.state).toBe("pending");
    expect(balancer.snapshot().waiting).toBe(1);
    gate.open();
    gate.announce();
    await settle();
    expect(call.value).toBe("a");
    expect(balancer.snapshot().waiting).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("what opens without a word is noticed within 25 ms", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(1, { breaker: gate.provider });
    gate.shut();
    const call = watch(balancer.call(async () => "served"));
    await clock.advance(100);
    gate.open();
    await clock.advance(25);
    expect(call.value).toBe("served");
  });

  test("a call waits no longer than the queue's limit, and says so", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(1, { breaker: gate.provider, queue: { timeoutMs: 300 } });
    gate.shut();
    const call = watch(balancer.call(async () => 1));
    await clock.advance(299);
    expect(call.state).toBe("pending");
    await clock.advance(1);
    expect(call.error).toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND", attempts: [] });
    expect(balancer.snapshot().calls).toMatchObject({ failed: 1, noBackend: 1 });
    expect(clock.pending).toBe(0);
  });

  test("nor longer than its deadline", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(1, { breaker: gate.provider });
    gate.shut();
    const call = watch(balancer.call(async () => 1, { deadlineMs: 50 }));
    await clock.advance(49);
    expect(call.state).toBe("pending");
    await clock.advance(1);
    expect(call.state).toBe("rejected");
  });

  test("a full queue refuses at once", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(1, { breaker: gate.provider, queue: { size: 2 } });
    gate.shut();
    const waiting = [watch(balancer.call(async () => 1)), watch(balancer.acquire())];
    const error = await rejection(balancer.call(async () => 1));
    expect(error).toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
    expect((error as Error).message).toContain("queue is full");
    expect(await rejection(balancer.acquire())).toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
    expect(waiting.map(({ state }) => state)).toEqual(["pending", "pending"]);
    expect(clock.now()).toBe(0);
  });

  test("with every backend disabled, waiting is hopeless: an error at once", async () => {
    const { balancer, clock } = world(2);
    balancer.disable("a");
    balancer.disable("b");
    expect(await rejection(balancer.call(async () => 1))).toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
    expect(clock.now()).toBe(0);
    balancer.enable("b");
    expect(await balancer.call(async ({ backend }) => backend.id)).toBe("b");
  });

  test("acquire waits as long as it is told, else as long as a call may take", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(1, { breaker: gate.provider, deadlineMs: 5_000 });
    gate.shut();
    const short = watch(balancer.acquire({}, { deadlineMs: 200 }));
    const long = watch(balancer.acquire());
    await clock.advance(200);
    expect(short.error).toMatchObject({ code: "FAIRLEAD_ERR_NO_BACKEND" });
    expect(long.state).toBe("pending");
    gate.open();
    await clock.advance(25);
    expect(long.value?.backend.id).toBe("a");
  });

  test("tryAcquire never waits", () => {
    const gate = turnstile();
    const { balancer } = world(1, { breaker: gate.provider });
    gate.shut();
    expect(balancer.tryAcquire()).toBeUndefined();
    expect(balancer.snapshot().waiting).toBe(0);
  });

  test("a requeue waits, and is answered with its own error when nothing opens", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(2, { breaker: gate.provider, retry: false });
    gate.shut("b");
    const error = refused();
    const call = watch(
      balancer.call(async () => {
        gate.shut("a");
        throw error;
      }),
    );
    await clock.advance(999);
    expect(call.state).toBe("pending");
    await clock.advance(1);
    expect(call.error).toBe(error);
  });
});

describe("several that wait", () => {
  test("are served first come, first served, one place at a time", async () => {
    const { balancer, clock } = world(1, { breaker: turnstile(1).provider });
    const order: number[] = [];
    const bodies = Array.from({ length: 5 }, () => deferred());
    const calls = bodies.map((body, index) =>
      balancer.call(() => {
        order.push(index);
        return body.promise;
      }),
    );
    for (const [index, body] of bodies.entries()) {
      await clock.advance(0);
      expect(order).toHaveLength(index + 1);
      body.resolve();
    }
    await Promise.all(calls);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(held(balancer)).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("a newcomer does not overtake them, also when the place opened by time alone", async () => {
    const gate = turnstile(1);
    const { balancer, clock } = world(1, { breaker: gate.provider });
    const order: string[] = [];
    balancer.observe("a", { outcome: "overload", retryAfterMs: 110 });
    const patient = balancer.call(async () => void order.push("patient"));
    // 110 is no multiple of the 25 ms at which the queue looks by itself.
    await clock.advance(111);
    const newcomer = balancer.call(async () => void order.push("newcomer"));
    await clock.advance(50);
    await Promise.all([patient, newcomer]);
    expect(order).toEqual(["patient", "newcomer"]);
  });

  test("a newcomer by tryAcquire neither", async () => {
    const { balancer, clock } = world(1, { breaker: turnstile(1).provider });
    balancer.observe("a", { outcome: "overload", retryAfterMs: 110 });
    const patient = watch(balancer.call(async () => "served"));
    await clock.advance(111);
    balancer.tryAcquire();
    await clock.advance(50);
    expect(patient.value).toBe("served");
  });

  test("one that waits for its own backend holds up nobody behind it", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(2, { breaker: gate.provider });
    gate.shut();
    const pinned = watch(balancer.call(async () => 1, { pinned: "a", pinPolicy: "wait" }));
    const other = watch(balancer.call(async ({ backend }) => backend.id));
    await clock.advance(10);
    gate.open("b");
    gate.announce();
    await settle();
    expect(other.value).toBe("b");
    expect(pinned.state).toBe("pending");
  });

  test.each(["call", "acquire", "tryAcquire"] as const)(
    "nor a newcomer by %s, whom a free backend takes at once",
    async (way) => {
      const gate = turnstile();
      const { balancer, clock } = world(2, { breaker: gate.provider });
      gate.shut("a");
      const pinned = watch(balancer.call(async () => 1, { pinned: "a", pinPolicy: "wait" }));
      await clock.advance(10);
      const served = watch(
        way === "call"
          ? balancer.call(async ({ backend }) => backend.id)
          : Promise.resolve(balancer[way]()).then((lease) => lease?.backend.id),
      );
      await settle();
      expect(served.value).toBe("b");
      expect(pinned.state).toBe("pending");
    },
  );

  test("one that leaves makes room, and the others keep their order", async () => {
    const gate = turnstile(1);
    const { balancer, clock } = world(1, { breaker: gate.provider });
    gate.shut();
    const order: string[] = [];
    const controller = new AbortController();
    const calls = [
      watch(balancer.call(async () => void order.push("first"))),
      watch(balancer.call(async () => void order.push("left"), { signal: controller.signal })),
      watch(balancer.call(async () => void order.push("third"))),
    ];
    await clock.advance(10);
    controller.abort();
    gate.open();
    gate.announce();
    await clock.advance(0);
    expect(order).toEqual(["first", "third"]);
    expect(calls.map(({ state }) => state)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  test("of derived balancers wait in queues of their own and are served all", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(1, { breaker: gate.provider });
    const derived = balancer.derive({ strategy: first() });
    gate.shut();
    const calls = [watch(balancer.call(async () => 1)), watch(derived.call(async () => 2))];
    await clock.advance(10);
    expect([balancer.snapshot().waiting, derived.snapshot().waiting]).toEqual([1, 1]);
    gate.open();
    gate.announce();
    await settle();
    expect(calls.map(({ value }) => value)).toEqual([1, 2]);
  });

  test("1,000 that wait are all served by one opening", async () => {
    const gate = turnstile();
    const { balancer, clock } = world(1, { breaker: gate.provider });
    gate.shut();
    const calls = Array.from({ length: 1_000 }, (_, index) => balancer.call(async () => index));
    await clock.advance(10);
    gate.open();
    gate.announce();
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
    expect(one(balancer, "a").successes).toBe(1_000);
  });
});

/** A call that waits for the only backend, which asked for peace. */
async function waitingCall(options: Parameters<typeof world>[1] = {}) {
  const made = world(1, options);
  made.balancer.observe("a", { outcome: "overload", retryAfterMs: 900 });
  const call = watch(made.balancer.call(async ({ backend }) => backend.id));
  await made.clock.advance(10);
  expect(call.state).toBe("pending");
  return { ...made, call };
}

describe("what opens a place", () => {
  test("a new backend in the set", async () => {
    const { balancer, call } = await waitingCall();
    balancer.set(named(2));
    await settle();
    expect(call.value).toBe("b");
  });

  test("an operator's enable", async () => {
    const { balancer, call } = await waitingCall();
    balancer.enable("a");
    await settle();
    expect(call.value).toBe("a");
  });

  test("the end of the pause", async () => {
    const { clock, call } = await waitingCall();
    await clock.advance(915);
    expect(call.value).toBe("a");
  });

  test("another strategy", async () => {
    const { balancer, call } = await waitingCall({
      strategy: { name: "none", build: () => ({ pick: () => undefined }) },
    });
    balancer.enable("a");
    await settle();
    expect(call.state).toBe("pending");
    balancer.configure({ strategy: first() });
    await settle();
    expect(call.value).toBe("a");
  });
});
