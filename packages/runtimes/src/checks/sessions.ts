import {
  type Balancer,
  headerAffinity,
  maglev,
  type RoutableRequest,
  roundRobin,
  type SessionAffinity,
} from "@fairlead/core";
import { cookieAffinity, cookieValueAffinity } from "@fairlead/fetch";
import { type Check, equal, ok } from "../check.ts";
import type { Echo, Scene } from "../scene.ts";

const KEY = "a secret of these tests, longer than 32 characters";
const OLD_KEY = "an older secret of these tests, longer than 32 characters";

const FORBIDDEN = "browsers let scripts neither set Cookie nor see Set-Cookie";

/** The same cookie, for the next request. */
function pair(field: string | null | undefined): string {
  return field?.split(";")[0] ?? "";
}

function asking(cookie?: string): RoutableRequest {
  const header = (name: string): string | undefined => (name === "cookie" ? cookie : undefined);
  return { method: "GET", host: "shop.test", path: "/", query: "", header } as unknown as RoutableRequest;
}

/** The cookie that a session on that backend is handed. */
async function issue(affinity: SessionAffinity, orders: Balancer, id: string): Promise<string> {
  const backend = orders.backend(id);
  if (backend === undefined) throw new Error(`there is no ${id}`);
  return pair((await affinity.keep(asking(), undefined, backend, orders)) ?? "");
}

function shop(scene: Scene): ReturnType<Scene["gateway"]> {
  return scene.gateway(["a", "b", "c"], { strategy: roundRobin() }, { affinity: cookieAffinity({ keys: [KEY] }) });
}

export const sessions: readonly Check[] = [
  {
    name: "keeps what has the same header on its backend",
    run: async (scene) => {
      const strategy = maglev({ tableSize: 1_009 });
      const { get } = scene.open(["a", "b", "c"], { strategy }, { affinity: headerAffinity("x-tenant") });
      const init = { headers: { "x-tenant": "7" } };
      const { backend } = await get("/", init);
      for (let call = 0; call < 4; call++) equal((await get("/", init)).backend, backend);
    },
  },
  {
    name: "keeps what has the same cookie of the application on its backend",
    notInBrowsers: FORBIDDEN,
    run: async (scene) => {
      const strategy = maglev({ tableSize: 1_009 });
      const { get } = scene.open(["a", "b", "c"], { strategy }, { affinity: cookieValueAffinity("sid") });
      const { backend } = await get("/", { headers: { cookie: "sid=7" } });
      for (const other of ["x=1; sid=7", "sid=7; y=2"])
        equal((await get("/", { headers: { cookie: other } })).backend, backend);
    },
  },
  {
    name: "signs and encrypts cookies with WebCrypto, and reads what it has made",
    run: async (scene) => {
      const orders = scene.balancer(["a", "b"]);
      const cookie = await issue(cookieAffinity({ keys: [KEY] }), orders, "b");
      ok(/^[\w-]+=[\w-]{80,}$/.test(cookie), `the cookie is base64url: ${cookie}`);
      // Another of the same key knows it; it shares nothing with the first.
      equal(await cookieAffinity({ keys: [KEY] }).find(asking(`x=1; ${cookie}`), orders), "b");
    },
  },
  {
    name: "reads cookies of an older key, and none that are forged or of a key that nobody knows",
    run: async (scene) => {
      const orders = scene.balancer(["a", "b"]);
      const old = await issue(cookieAffinity({ keys: [OLD_KEY] }), orders, "b");
      const rotated = cookieAffinity({ keys: [KEY, OLD_KEY] });
      equal(await rotated.find(asking(old), orders), "b");
      const because: string[] = [];
      orders.on("affinityIgnored", (event) => because.push(event.because));
      equal(await cookieAffinity({ keys: [KEY] }).find(asking(old), orders), undefined);
      const at = old.length - 20;
      const forged = `${old.slice(0, at)}${old[at] === "A" ? "B" : "A"}${old.slice(at + 1)}`;
      equal(await rotated.find(asking(forged), orders), undefined);
      equal(because, ["unknown-key", "forged"]);
    },
  },
  {
    name: "keeps a client on its backend by a cookie",
    notInBrowsers: FORBIDDEN,
    run: async (scene) => {
      const { ask } = shop(scene);
      const first = await ask("/cart");
      const field = first.headers.get("set-cookie");
      const { backend } = (await first.json()) as Echo;
      const attributes = "; Max-Age=86400; Path=/; Secure; HttpOnly; SameSite=Lax";
      ok(field?.endsWith(attributes), `its attributes: ${field}`);
      for (let call = 0; call < 4; call++) {
        const response = await ask("/cart", { headers: { cookie: pair(field) } });
        equal([response.headers.get("set-cookie"), ((await response.json()) as Echo).backend], [null, backend]);
      }
    },
  },
  {
    name: "moves a session whose backend takes no calls, and tells the client",
    notInBrowsers: FORBIDDEN,
    run: async (scene) => {
      const { orders, ask } = shop(scene);
      const first = await ask();
      const cookie = pair(first.headers.get("set-cookie"));
      const { backend } = (await first.json()) as Echo;
      orders.disable(backend);
      const moved = await ask("/", { headers: { cookie } });
      const next = pair(moved.headers.get("set-cookie"));
      const { backend: other } = (await moved.json()) as Echo;
      ok(other !== backend && next !== "" && next !== cookie, "it is elsewhere, by another cookie");
      const response = await ask("/", { headers: { cookie: next } });
      equal(((await response.json()) as Echo).backend, other);
    },
  },
];
