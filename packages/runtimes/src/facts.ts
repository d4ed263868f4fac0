import { functionCheck, systemClock } from "@fairlead/core";
import * as everything from "fairlead";
import { pause } from "./check.ts";
import type { Echo, Scene } from "./scene.ts";

/** Something in which runtimes differ. The table of docs/runtimes.md has a row for each. */
export interface Fact {
  /** The row. */
  readonly name: string;
  /** The cell. */
  readonly measure: (scene: Scene) => Promise<string> | string;
}

/** The build for browsers has none, whatever the types of Node's say. */
const hasBreakers = (everything.circuitBreaker as unknown) !== undefined;

const yesOrNo = (so: boolean): string => (so ? "yes" : "no");

/** What `fairlead` makes here, over these backends in their order. */
function open(scene: Scene, ...backends: everything.BackendSpec[]): everything.Fairlead {
  const strategy = everything.first();
  return scene.keep(everything.fairlead({ name: "orders", backends, strategy, attemptTimeoutMs: 1_000 }));
}

async function isServed(scene: Scene, url: string): Promise<boolean> {
  const orders = open(scene, { id: "first", url }, scene.backend("a"));
  const body = "one";
  return orders.fetch(`${scene.root}/x`, { method: "POST", body }).then(
    async (response) => ((await response.json()) as Echo).body === body,
    () => false,
  );
}

function oneAsStream(): ReadableStream {
  return new Blob(["one"]).stream();
}

async function echo(orders: everything.Fairlead, path: string, init?: RequestInit): Promise<Echo> {
  return (await orders.fetch(path, init)).json() as Promise<Echo>;
}

export const facts: readonly Fact[] = [
  {
    name: "build of `fairlead`",
    measure: (scene) => {
      if ("dispatcher" in open(scene, scene.backend("a"))) return "Node's";
      return hasBreakers ? "portable" : "browsers'";
    },
  },
  {
    name: "`.request`, `.dispatcher`",
    measure: (scene) => {
      const orders = open(scene, scene.backend("a"));
      return yesOrNo("request" in orders && "dispatcher" in orders);
    },
  },
  {
    name: "circuit breakers",
    measure: async (scene) => {
      if (!hasBreakers) return "no";
      const breaker = everything.circuitBreaker({ volumeThreshold: 1, errorThresholdPercentage: 50 });
      const orders = scene.balancer(["busy"], { breaker, retry: false });
      await everything.createFetch(orders)(`${scene.root}/x`);
      return yesOrNo(orders.snapshot().backends[0]?.breaker === "open");
    },
  },
  { name: "timers", measure: () => (systemClock().background === false ? "one per wait" : "one for all") },
  {
    name: "health checks",
    measure: async (scene) => {
      let checked = 0;
      const healthCheck = functionCheck(async () => void checked++, { intervalMs: 20 });
      const orders = scene.balancer(["a"], { healthCheck });
      await pause(200);
      await orders.close();
      return yesOrNo(checked > 0);
    },
  },
  { name: "stalls of the event loop", measure: () => (systemClock().lag ? "known" : "unknown") },
  {
    name: "never sent is known",
    measure: async (scene) => {
      if (await isServed(scene, scene.addresses.deaf)) return "exactly";
      return (await isServed(scene, scene.addresses.dead)) ? "if nobody listens" : "no";
    },
  },
  {
    name: "`host` of a backend",
    measure: async (scene) => {
      const orders = open(scene, scene.backend("a", { host: "orders.test" }));
      return (await echo(orders, `${scene.root}/x`)).headers["host"] === "orders.test" ? "sent" : "not sent";
    },
  },
  {
    name: "a `Cookie` that the caller sets",
    measure: async (scene) => {
      const orders = open(scene, scene.backend("a"));
      const { headers } = await echo(orders, `${scene.root}/x`, { headers: { cookie: "a=1" } });
      return headers["cookie"] === "a=1" ? "sent" : "not sent";
    },
  },
  {
    name: "redirects",
    measure: async (scene) => {
      const orders = open(scene, scene.backend("a"));
      const { type, redirected } = await orders.fetch(`${scene.root}/redirect?to=/there`);
      return redirected ? "followed" : type;
    },
  },
  {
    name: "streaming uploads",
    measure: async (scene) => {
      const orders = open(scene, scene.backend("a"));
      const body = new Blob(["one"]).stream();
      const init = { method: "POST", body, duplex: "half" } as RequestInit;
      return echo(orders, `${scene.root}/x`, init).then(
        (seen) => yesOrNo(seen.body === "one" && seen.headers["transfer-encoding"] === "chunked"),
        () => "no",
      );
    },
  },
  {
    name: "a stream of a body factory, sent again",
    measure: async (scene) => {
      const { get } = scene.open(["busy", "a"], { retry: { delayMs: 1 } });
      return get("/x", { method: "PUT", fairlead: { body: oneAsStream } }).then(
        (seen) => yesOrNo(seen.backend === "a" && seen.body === "one"),
        () => "no",
      );
    },
  },
  {
    name: "hooks",
    measure: async (scene) => {
      const hooks: everything.FetchHooks = { beforeRequest: ({ headers }) => headers.set("x-hook", "1") };
      const backends = [scene.backend("a")];
      const orders = scene.keep(everything.fairlead({ name: "orders", backends, hooks }));
      return yesOrNo((await echo(orders, `${scene.root}/x`)).headers["x-hook"] === "1");
    },
  },
  {
    name: "`.forward`: requests without a body",
    measure: async (scene) => {
      const ask = scene.asking(open(scene, scene.backend("a")).forward);
      return yesOrNo(((await (await ask("/x")).json()) as Echo).path === `${scene.root}/x`);
    },
  },
  {
    name: "`.forward`: requests with one",
    measure: async (scene) => {
      const ask = scene.asking(open(scene, scene.backend("a")).forward);
      const response = await ask("/x", { method: "POST", body: "one" });
      if (response.status !== 200) return String(response.status);
      return yesOrNo(((await response.json()) as Echo).body === "one");
    },
  },
  {
    name: "`.forward`: redirects",
    measure: async (scene) => {
      const ask = scene.asking(open(scene, scene.backend("a")).forward);
      const response = await ask("/redirect?to=/there");
      await response.text();
      return response.headers.get("location") === "/there" ? "passed on" : String(response.status);
    },
  },
  {
    name: "`.forward`: WebSockets",
    measure: async (scene) => {
      const ask = scene.asking(open(scene, scene.backend("a")).forward);
      const response = await ask("/x", { headers: { upgrade: "websocket" } });
      if (response.status === 101) {
        const { webSocket } = response as Response & { readonly webSocket?: { accept(): void; close(): void } };
        webSocket?.accept();
        webSocket?.close();
        return "passed on";
      }
      await response.text();
      return "createNodeListener" in everything ? "by `createNodeListener`" : "no";
    },
  },
  {
    name: "cookie affinity",
    measure: async (scene) => {
      const affinity = everything.cookieAffinity({ keys: ["a secret of these tests, longer than 32 characters"] });
      const { ask } = scene.gateway(["a", "b"], {}, { affinity });
      const response = await ask("/x");
      await response.text();
      return yesOrNo(response.headers.get("set-cookie")?.includes("; HttpOnly") === true);
    },
  },
  {
    name: "HTTP/2 where the backend speaks it",
    measure: async (scene) => {
      const orders = open(scene, { id: "h2", url: scene.addresses.http2, tls: { rejectUnauthorized: false } });
      const response = await orders.fetch("/");
      return yesOrNo((await response.text()) === "2.0");
    },
  },
  {
    name: "`keepalive`",
    measure: () => (new Request("http://orders", { keepalive: true }).keepalive ? "handed on" : "unknown"),
  },
  {
    name: "`FinalizationRegistry`",
    measure: () => yesOrNo(typeof FinalizationRegistry === "function"),
  },
  {
    name: "WebSockets can ping",
    measure: () => yesOrNo(typeof WebSocket === "function" && "ping" in WebSocket.prototype),
  },
];
