import { leastRequest, maglev, roundRobin, xxh64 } from "@fairlead/core";
import { type Check, equal, ok } from "../check.ts";

export const balancing: readonly Check[] = [
  {
    name: "spreads calls over the backends",
    run: async (scene) => {
      const { get } = scene.open(["a", "b", "c"], { strategy: roundRobin() });
      const seen: string[] = [];
      for (let call = 0; call < 6; call++) seen.push((await get()).backend);
      equal(seen.sort(), ["a", "a", "b", "b", "c", "c"]);
    },
  },
  {
    name: "spreads them by weight",
    run: async (scene) => {
      const backends = [scene.backend("a", { weight: 2 }), scene.backend("b", { weight: 1 })];
      const { get } = scene.open(backends, { strategy: roundRobin() });
      const seen: string[] = [];
      for (let call = 0; call < 6; call++) seen.push((await get()).backend);
      equal(seen.filter((backend) => backend === "a").length, 4);
    },
  },
  {
    name: "serves twenty calls at once by default, all backends among those who do",
    run: async (scene) => {
      const { get } = scene.open(["a", "b"], { strategy: undefined });
      const seen = await Promise.all(Array.from({ length: 20 }, () => get()));
      equal([...new Set(seen.map(({ backend }) => backend))].sort(), ["a", "b"]);
    },
  },
  {
    name: "asks the backend with the fewest requests under way",
    run: async (scene) => {
      const { fetch, get } = scene.open(["slow", "a"], { strategy: leastRequest() });
      const slow = fetch(`${scene.root}/`, { fairlead: { pinned: "slow" } });
      for (let call = 0; call < 3; call++) equal((await get()).backend, "a");
      await (await slow).text();
    },
  },
  {
    name: "keeps a key on its backend",
    run: async (scene) => {
      const { get } = scene.open(["a", "b", "c"], { strategy: maglev({ tableSize: 1_009, hash: xxh64 }) });
      const init = { fairlead: { hashKey: "customer 42" } };
      const { backend } = await get("/", init);
      for (let call = 0; call < 4; call++) equal((await get("/", init)).backend, backend);
    },
  },
  {
    name: "goes to the backend that a call is pinned to",
    run: async (scene) => {
      const { get } = scene.open(["a", "b", "c"]);
      equal((await get("/", { fairlead: { pinned: "c" } })).backend, "c");
    },
  },
  {
    name: "keeps path, query and the backend's prefix, and shows the logical URL",
    run: async (scene) => {
      const { fetch } = scene.open(["a"]);
      const response = await fetch(`${scene.root}/x%20y?a=1&b=%C3%A4#part`);
      const { path } = (await response.json()) as { path: string };
      equal(path, `${scene.root}/x%20y?a=1&b=%C3%A4`);
      equal([response.url, response.redirected], [`http://orders${scene.root}/x%20y?a=1&b=%C3%A4`, false]);
    },
  },
  {
    name: "takes a URL object, an absolute URL and a Request for the logical origin",
    run: async (scene) => {
      const { fetch } = scene.open(["a"]);
      const url = `http://orders${scene.root}/x`;
      for (const input of [url, new URL(url), new Request(url)]) {
        const response = await fetch(input);
        equal([response.url, ((await response.json()) as { backend: string }).backend], [url, "a"]);
      }
    },
  },
  {
    name: "leaves other origins alone",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["a"]);
      const response = await fetch(`${scene.addresses.good}/b${scene.root}/there`);
      equal(((await response.json()) as { backend: string }).backend, "b");
      equal(orders.snapshot().calls.calls, 0);
    },
  },
  {
    name: "lets no path leave its upstream",
    run: async (scene) => {
      const { fetch } = scene.open(["a"]);
      for (const path of ["//evil.test/x", "/\\evil.test/x", "http://user:password@orders/x"]) {
        const error = await fetch(path).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        ok(error instanceof TypeError, `${path} is refused with a TypeError`);
      }
    },
  },
  {
    name: "follows changes of the set, of states and of weights",
    run: async (scene) => {
      const { orders, get } = scene.open(["a", "b"]);
      orders.disable("a");
      equal((await get()).backend, "b");
      orders.enable("a");
      equal((await get()).backend, "a");
      orders.set([scene.backend("c")]);
      equal((await get()).backend, "c");
      await orders.drain("c");
      equal(orders.backends[0]?.state, "draining");
    },
  },
];
