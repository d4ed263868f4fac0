import {
  type Balancer,
  createRouter,
  headerAffinity,
  maglev,
  type RouteOptions,
  type RouteShare,
} from "@fairlead/core";
import { createFetch, type FetchHooks } from "@fairlead/fetch";
import { fairlead } from "fairlead";
import { type Check, equal, ok, pause, rejection } from "../check.ts";
import type { Echo, Scene } from "../scene.ts";

/** An upstream of one backend. */
type Upstream = (id: string) => Balancer;

interface Routed {
  readonly fetch: typeof fetch;
  /** Asks for a path of the check, and shows which backend was asked for which. */
  readonly ask: (path: string, init?: RequestInit) => Promise<readonly [backend: string, path: string]>;
}

/** A router over upstreams of one backend each. */
function open(scene: Scene, routes: (to: Upstream) => readonly RouteOptions[]): Routed {
  const to: Upstream = (id) => scene.balancer([id], { name: id });
  const fetch = createFetch(createRouter({ name: "edge", routes: routes(to) }));
  const ask: Routed["ask"] = async (path, init) => {
    const { backend, path: seen } = (await (await fetch(scene.root + path, init)).json()) as Echo;
    return [backend, seen.replace(scene.root, "…")];
  };
  return { fetch, ask };
}

function halves(to: Upstream): RouteShare[] {
  return ["a", "b"].map((id) => ({ to: to(id), percent: 50 }));
}

export const routing: readonly Check[] = [
  {
    name: "routes by path, and rewrites it",
    run: async (scene) => {
      const { ask } = open(scene, (to) => [
        { path: `${scene.root}/v1/users`, rewritePath: `${scene.root}/people`, to: to("a") },
        { path: `${scene.root}/v1`, to: to("b") },
        { to: to("c") },
      ]);
      equal(await ask("/v1/users/7?x=%20"), ["a", "…/people/7?x=%20"]);
      equal(await ask("/v1/x"), ["b", "…/v1/x"]);
      equal(await ask("/v10"), ["c", "…/v10"]);
    },
  },
  {
    name: "lets no path slip past a route by how it is written",
    run: async (scene) => {
      const { ask } = open(scene, (to) => [{ path: `${scene.root}/inner`, to: to("a") }, { to: to("b") }]);
      for (const path of ["/%69nner/x", "/x/../inner/x", "/x/%2e%2e/inner/x", "//inner/x"])
        equal((await ask(path))[0], "a", path);
      equal((await ask("/inner%2Fx"))[0], "b", "an encoded slash");
    },
  },
  {
    name: "routes by method, header and host",
    run: async (scene) => {
      const { ask, fetch } = open(scene, (to) => [
        { method: ["DELETE", "PUT"], to: to("a") },
        { headers: { "x-beta": "yes" }, to: to("b") },
        { host: "*.users.test", to: to("c") },
        { to: to("busy") },
      ]);
      equal((await ask("/", { method: "DELETE" }))[0], "a");
      equal((await ask("/", { headers: { "x-beta": "yes" } }))[0], "b");
      const response = await fetch(`https://eu.users.test${scene.root}/x`);
      equal([response.url, ((await response.json()) as Echo).backend], [`https://eu.users.test${scene.root}/x`, "c"]);
      equal((await fetch(`${scene.root}/x`, { method: "POST" })).status, 503);
    },
  },
  {
    name: "refuses what no route takes",
    run: async (scene) => {
      const { fetch } = open(scene, (to) => [{ path: "/none", to: to("a") }]);
      const error = await rejection(fetch(`${scene.root}/x`));
      ok(error instanceof TypeError, "it rejects with a TypeError");
      equal((error.cause as { code?: string }).code, "FAIRLEAD_ERR_NO_ROUTE");
    },
  },
  {
    name: "divides a route into shares, and keeps a key in its own",
    run: async (scene) => {
      const byCount = open(scene, (to) => [{ to: halves(to) }]);
      const seen = await Promise.all(Array.from({ length: 8 }, () => byCount.ask("/")));
      equal(
        seen
          .map(([backend]) => backend)
          .sort()
          .join(""),
        "aaaabbbb",
      );
      const user = headerAffinity("x-user");
      const byUser = open(scene, (to) => [{ to: halves(to), splitBy: (request) => user.keyOf(request) }]);
      const init = { headers: { "x-user": "7" } };
      const [backend] = await byUser.ask("/", init);
      for (let call = 0; call < 4; call++) equal((await byUser.ask("/", init))[0], backend);
    },
  },
  {
    name: "sends a copy to the mirror, and shows nothing of it",
    run: async (scene) => {
      const { ask } = open(scene, (to) => [{ to: to("a"), mirror: { to: to("busy"), percent: 100 } }]);
      equal(await ask("/x", { method: "POST", body: "one" }), ["a", "…/x"]);
      // The copy is nobody's to wait for.
      let seen = await scene.received();
      for (let look = 0; look < 100 && seen.length < 2; look++) {
        await pause(10);
        seen = await scene.received();
      }
      equal(seen.sort(), [`POST a ${scene.root}/x`, `POST busy ${scene.root}/x`]);
    },
  },
  {
    name: "keeps to the time that a route allows",
    run: async (scene) => {
      const { fetch } = open(scene, (to) => [{ to: to("silent"), deadlineMs: 60, retry: false }]);
      equal((await rejection(fetch(`${scene.root}/x`))).name, "TimeoutError");
    },
  },
  {
    name: "keeps what has the key of a route's affinity on its backend",
    run: async (scene) => {
      const orders = scene.balancer(["a", "b", "c"], { strategy: maglev({ tableSize: 1_009 }) });
      const affinity = headerAffinity("x-tenant");
      const fetch = createFetch(createRouter({ name: "edge", routes: [{ to: orders, affinity }] }));
      const of = async (tenant: string): Promise<string> => {
        const response = await fetch(`${scene.root}/x`, { headers: { "x-tenant": tenant } });
        return ((await response.json()) as Echo).backend;
      };
      const tenants = Array.from({ length: 12 }, (_, tenant) => `tenant ${tenant}`);
      const before = await Promise.all(tenants.map(of));
      equal(await Promise.all(tenants.map(of)), before);
      ok(new Set(before).size > 1, "not all tenants are on one backend");
    },
  },
  {
    name: "routes by `fairlead({ upstreams, routes })`",
    run: async (scene) => {
      const hooks: FetchHooks = { beforeRequest: ({ headers }) => headers.set("x-hooked", "yes") };
      const app = fairlead({
        upstreams: {
          orders: { backends: [scene.backend("a")] },
          users: { backends: [scene.backend("b")] },
          sameUsers: { from: "users", deadlineMs: 5_000 },
        },
        routes: [
          { path: `${scene.root}/users`, to: "sameUsers" },
          { path: `${scene.root}/orders`, to: "orders" },
        ],
        default: "users",
        hooks,
      });
      for (const [path, id] of [
        ["/orders/7", "a"],
        ["/users/7", "b"],
        ["/x", "b"],
      ] as const) {
        const { backend, headers } = (await (await app.fetch(scene.root + path)).json()) as Echo;
        equal([backend, headers["x-hooked"]], [id, "yes"], path);
      }
      equal(app.upstreams.users.snapshot().backends[0]?.successes, 2);
      await app.close();
    },
  },
];
