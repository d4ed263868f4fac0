import { type FairleadError, fallbackTo, hedging } from "@fairlead/core";
import { lastGoodResponse } from "@fairlead/fetch";
import { type Check, equal, ok, rejection } from "../check.ts";

const post = { method: "POST", body: "one" };
const quick = { retry: { delayMs: 1 } };

export const repeats: readonly Check[] = [
  {
    name: "sends a GET that gets a 503 elsewhere",
    run: async (scene) => {
      const { orders, get } = scene.open(["busy", "a"], quick);
      equal((await get("/x")).backend, "a");
      equal(await scene.received(), [`GET busy ${scene.root}/x`, `GET a ${scene.root}/x`]);
      equal(orders.snapshot().calls.retries, 1);
    },
  },
  {
    name: "does not send a POST again that gets a 503",
    run: async (scene) => {
      const { fetch } = scene.open(["busy", "a"], quick);
      const response = await fetch(`${scene.root}/x`, post);
      equal([response.status, await response.text()], [503, "busy"]);
      equal(await scene.received(), [`POST busy ${scene.root}/x`]);
    },
  },
  {
    name: "sends a POST with an idempotency key again, with the same key",
    run: async (scene) => {
      const { get } = scene.open(["busy", "a"], quick, { idempotencyKey: true });
      const { backend, body, headers } = await get("/x", post);
      equal([backend, body], ["a", "one"]);
      ok(/^"[\w-]{10,}"$/.test(headers["idempotency-key"] ?? ""), "the key is a quoted text");
    },
  },
  {
    name: "sends a GET elsewhere whose connection breaks",
    run: async (scene) => {
      const { get } = scene.open(["drop", "a"], quick);
      equal((await get("/x")).backend, "a");
    },
  },
  {
    name: "does not send a POST again whose connection breaks",
    run: async (scene) => {
      const { fetch } = scene.open(["drop", "a"], quick);
      const error = await rejection(fetch(`${scene.root}/x`, post));
      const platform = await rejection(globalThis.fetch(`${scene.addresses.good}/drop/x`, post));
      equal(error.name, platform.name, "it rejects as the platform does");
      equal(
        (await scene.received()).filter((line) => line.startsWith("POST a")),
        [],
      );
    },
  },
  {
    name: "sends a GET elsewhere where nobody listens",
    run: async (scene) => {
      const { get } = scene.open(["dead", "a"], quick);
      equal((await get("/x")).backend, "a");
    },
  },
  {
    name: "returns the last answer when nobody has a better one",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["busy", "busy-later"], quick);
      const response = await fetch(`${scene.root}/x`);
      equal(response.status, 503);
      await response.text();
      ok(orders.snapshot().calls.retries > 0, "it was repeated");
    },
  },
  {
    name: "names every attempt in the error when nobody answers",
    run: async (scene) => {
      const { fetch } = scene.open(["drop", "dead"], quick);
      const error = await rejection(fetch(`${scene.root}/x`));
      const cause = error.cause as FairleadError;
      equal([error instanceof TypeError, cause.code], [true, "FAIRLEAD_ERR_RETRIES_EXHAUSTED"]);
      equal([...new Set(cause.attempts.map(({ backend }) => backend))].sort(), ["dead", "drop"]);
    },
  },
  {
    name: "returns a 429, and lets its Retry-After bind the backend",
    run: async (scene) => {
      const { fetch, get } = scene.open(["limited", "a"], { retry: false });
      const response = await fetch(`${scene.root}/x`);
      equal([response.status, await response.text()], [429, "limited"]);
      equal((await get("/x")).backend, "a");
    },
  },
  {
    name: "ejects a backend that fails five times in a row",
    run: async (scene) => {
      const { orders, get } = scene.open(["busy", "a"], quick);
      const ejected: string[] = [];
      orders.on("backendEjected", ({ backend }) => ejected.push(backend));
      for (let call = 0; call < 6; call++) await get("/x");
      equal(ejected, ["busy"]);
      equal((await scene.received()).filter((line) => line.startsWith("GET busy")).length, 5);
    },
  },
  {
    name: "tells backends the number of the attempt",
    run: async (scene) => {
      const { get } = scene.open(["busy", "a"], quick, { propagate: true });
      equal((await get("/x")).headers["x-envoy-attempt-count"], "2");
    },
  },
  {
    name: "takes the answer of the faster of two where it hedges",
    run: async (scene) => {
      const { orders, get } = scene.open(["slow", "a"], { hedge: hedging({ delayMs: 30 }) });
      equal((await get("/x")).backend, "a");
      equal(orders.snapshot().calls.hedges, 1);
    },
  },
  {
    name: "falls back to another upstream",
    run: async (scene) => {
      const other = scene.balancer(["b"], { name: "other" });
      const { get } = scene.open(["drop"], { ...quick, fallback: fallbackTo(other) });
      equal((await get("/x")).backend, "b");
    },
  },
  {
    name: "falls back to the last good answer, with its age",
    run: async (scene) => {
      const { orders, fetch, get } = scene.open(["a"], { ...quick, fallback: lastGoodResponse() });
      await get("/x");
      orders.set([scene.backend("drop")]);
      const response = await fetch(`${scene.root}/x`);
      equal([response.headers.get("age"), ((await response.json()) as { backend: string }).backend], ["0", "a"]);
    },
  },
];
