import type { FetchHooks } from "@fairlead/fetch";
import { type Check, equal, ok, pause, rejection } from "../check.ts";
import type { Scene } from "../scene.ts";

const quick = { retry: { delayMs: 1 } };

function open(scene: Scene, backends: readonly string[], hooks: FetchHooks): ReturnType<Scene["open"]> {
  return scene.open(backends, quick, { hooks });
}

export const hooks: readonly Check[] = [
  {
    name: "lets hooks change the headers of each attempt, one hook after the other",
    run: async (scene) => {
      const seen: unknown[] = [];
      const { get } = open(scene, ["busy", "a"], {
        beforeRequest: [
          async ({ attempt, headers, method, url }) => {
            await pause(1);
            seen.push([attempt.backend.id, attempt.number, method, url]);
            headers.set("x-hook", `${headers.get("x-hook")} ${attempt.number}`);
          },
          ({ headers }) => ({ "x-hook": `${headers.get("x-hook")}!` }),
        ],
      });
      const { headers } = await get("/x", { headers: { "x-hook": "mine" } });
      equal(headers["x-hook"], "mine 2!");
      const url = `http://orders${scene.root}/x`;
      equal(seen, [
        ["busy", 1, "GET", url],
        ["a", 2, "GET", url],
      ]);
    },
  },
  {
    name: "lets a hook keep a call from being repeated",
    run: async (scene) => {
      const { fetch } = open(scene, ["busy", "a"], { beforeRetry: ({ response }) => response?.status !== 503 });
      const response = await fetch(`${scene.root}/x`);
      equal([response.status, await response.text()], [503, "busy"]);
      equal(await scene.received(), [`GET busy ${scene.root}/x`]);
    },
  },
  {
    name: "lets a hook put another response in the place of the backend's",
    run: async (scene) => {
      const { orders, fetch } = open(scene, ["large"], {
        afterResponse: async ({ attempt, response }) => new Response(`${attempt?.backend.id} ${response.status}`),
      });
      // The one of the backend is let go of: the scene ends only when its place is free.
      equal(await (await fetch(`${scene.root}/x?n=1000000`)).text(), "large 200");
      equal(orders.snapshot().calls.succeeded, 1);
    },
  },
  {
    name: "lets a hook put another error in the place of ours",
    run: async (scene) => {
      const { fetch } = open(scene, ["drop"], {
        beforeError: ({ url, error }) => new RangeError(`no answer from ${url}`, { cause: error }),
      });
      const error = await rejection(fetch(`${scene.root}/x`, { method: "POST" }));
      ok(error instanceof RangeError, "it is the hook's");
      equal(error.message, `no answer from http://orders${scene.root}/x`);
      ok(error.cause instanceof Error, "its cause is ours");
    },
  },
  {
    name: "blames no backend for what a hook throws",
    run: async (scene) => {
      const broken = new RangeError("a hook is broken");
      for (const name of ["beforeRequest", "afterResponse"] as const) {
        const { orders, fetch } = open(scene, ["a"], {
          [name]: () => {
            throw broken;
          },
        });
        equal((await rejection(fetch(`${scene.root}/x`))).message, broken.message);
        const [backend] = orders.snapshot().backends;
        equal([backend?.failures, orders.snapshot().calls.retries], [0, 0], name);
      }
    },
  },
  {
    name: "shows the caller's abort to no hook",
    run: async (scene) => {
      let shown = 0;
      const { fetch } = open(scene, ["silent"], { beforeError: () => void shown++ });
      const controller = new AbortController();
      const call = rejection(fetch(`${scene.root}/x`, { signal: controller.signal }));
      await pause(20);
      const reason = new RangeError("enough");
      controller.abort(reason);
      equal([(await call).message, shown], [reason.message, 0]);
    },
  },
];
