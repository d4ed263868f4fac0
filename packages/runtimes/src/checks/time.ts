import { rateLimit } from "@fairlead/core";
import { type Check, equal, ok, pause, rejection, until } from "../check.ts";

const quick = { retry: { delayMs: 1 } };

export const time: readonly Check[] = [
  {
    name: "sends a GET elsewhere when an attempt takes too long",
    run: async (scene) => {
      const { orders, get } = scene.open(["silent", "a"], { ...quick, attemptTimeoutMs: 200 });
      equal((await get("/x")).backend, "a");
      equal(orders.snapshot().calls.timeouts, 1);
    },
  },
  {
    name: "ends a POST with a TimeoutError when its attempt takes too long",
    run: async (scene) => {
      const { fetch } = scene.open(["silent", "a"], { ...quick, attemptTimeoutMs: 200 });
      const error = await rejection(fetch(`${scene.root}/x`, { method: "POST", body: "one" }));
      equal([error.name, error.code], ["TimeoutError", "FAIRLEAD_ERR_TIMEOUT"]);
    },
  },
  {
    name: "ends a call at its deadline",
    run: async (scene) => {
      const { fetch } = scene.open(["silent", "silent-too"], { attemptTimeoutMs: false });
      const startedMs = performance.now();
      const error = await rejection(fetch(`${scene.root}/x`, { fairlead: { deadlineMs: 80 } }));
      equal(error.name, "TimeoutError");
      ok(performance.now() - startedMs < 2_000, "it ends soon");
    },
  },
  {
    name: "arms many timeouts at once, and only those that are due go off",
    run: async (scene) => {
      const { orders, fetch, get } = scene.open(["a", "silent"], { attemptTimeoutMs: 600 });
      const late = [1, 2].map(() =>
        rejection(fetch(`${scene.root}/x`, { fairlead: { pinned: "silent", retry: false } })),
      );
      await Promise.all(Array.from({ length: 10 }, () => get("/y")));
      equal(orders.snapshot().calls.timeouts, 0);
      for (const error of await Promise.all(late)) equal(error.name, "TimeoutError");
      equal(orders.snapshot().calls.timeouts, 2);
    },
  },
  {
    name: "ends a body of which nothing comes any more",
    run: async (scene) => {
      const { fetch } = scene.open(["stall"], { bodyIdleTimeoutMs: 80 });
      const response = await fetch(`${scene.root}/x`);
      const error = await rejection(response.text());
      ok(error instanceof Error, "reading it rejects with an error");
    },
  },
  {
    name: "says nothing to a backend when the caller has left already",
    run: async (scene) => {
      const { fetch } = scene.open(["a"]);
      const reason = new Error("never mind");
      equal((await rejection(fetch(`${scene.root}/x`, { signal: AbortSignal.abort(reason) }))) === reason, true);
      equal(await scene.received(), []);
    },
  },
  {
    name: "rejects with the caller's reason itself when it leaves while it waits",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["silent"]);
      const controller = new AbortController();
      const reason = new Error("enough");
      const call = rejection(fetch(`${scene.root}/x`, { signal: controller.signal }));
      await pause(30);
      controller.abort(reason);
      equal((await call) === reason, true);
      const { aborted, failed } = orders.snapshot().calls;
      equal([aborted, failed], [1, 0]);
    },
  },
  {
    name: "ends the body when the caller leaves while it streams",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["stall"]);
      const controller = new AbortController();
      const response = await fetch(`${scene.root}/x`, { signal: controller.signal });
      const text = rejection(response.text());
      equal(orders.backends[0]?.inFlight("request"), 1);
      controller.abort(new Error("enough"));
      ok((await text) instanceof Error, "reading it rejects");
      await until(() => orders.backends[0]?.inFlight("request") === 0, "the place is given back");
      equal(orders.snapshot().backends[0]?.streamFailures, 0, "nobody is blamed");
    },
  },
  {
    name: "lets a call wait for a place",
    run: async (scene) => {
      const { orders, get } = scene.open(["slow"], { limits: { maxConcurrent: 1 } });
      const calls = [get("/1"), get("/2")];
      equal(orders.snapshot().waiting, 1);
      equal(
        (await Promise.all(calls)).map(({ backend }) => backend),
        ["slow", "slow"],
      );
    },
  },
  {
    name: "turns a call away when the queue is full",
    run: async (scene) => {
      const { fetch, get } = scene.open(["slow"], { limits: { maxConcurrent: 1 }, queue: { size: 0 } });
      const first = get("/1");
      const { cause } = await rejection(fetch(`${scene.root}/2`));
      equal((cause as { code?: string }).code, "FAIRLEAD_ERR_LIMIT");
      await first;
    },
  },
  {
    name: "lets calls begin no faster than their rate",
    run: async (scene) => {
      const rate = rateLimit({ perSecond: 10, burst: 1, delay: true });
      const { get } = scene.open(["a"], { limits: { rate } });
      const startedMs = performance.now();
      await Promise.all([get("/1"), get("/2"), get("/3")]);
      ok(performance.now() - startedMs >= 180, "the third begins 200 ms after the first");
    },
  },
];
