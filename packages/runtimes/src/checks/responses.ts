import { type Check, equal, ok, pause, rejection, until } from "../check.ts";

const opaque = "browsers hide redirects from scripts";

/** A little of it, where the runtime was told to let scripts do so. */
async function collectGarbage(): Promise<void> {
  const { gc } = globalThis as { readonly gc?: (how: { type: "minor"; execution: "async" }) => Promise<void> };
  for (let time = 0; time < 2; time++) await gc?.({ type: "minor", execution: "async" });
}

export const responses: readonly Check[] = [
  {
    name: "shows status, status text and headers",
    run: async (scene) => {
      const { fetch } = scene.open(["teapot"]);
      const response = await fetch(`${scene.root}/x`);
      const { statusText } = await fetch(`${scene.addresses.good}/teapot/`);
      equal([response.status, response.statusText, response.ok], [418, statusText, false]);
      equal(response.headers.get("x-pot"), "tea");
      equal(await response.json(), {});
    },
  },
  {
    name: "hands on each chunk as it comes",
    run: async (scene) => {
      const { fetch } = scene.open(["drip"]);
      const reader = (await fetch(`${scene.root}/x?n=5`)).body?.getReader();
      const startedMs = performance.now();
      const text = new TextDecoder();
      const first = text.decode((await reader?.read())?.value);
      const firstMs = performance.now() - startedMs;
      ok(first.startsWith("chunk 0;") && !first.includes("chunk 4;"), `the first chunk comes alone: ${first}`);
      let rest = "";
      for (let read = await reader?.read(); read?.done === false; read = await reader?.read())
        rest += text.decode(read.value);
      ok(rest.endsWith("chunk 4;"), `the last chunk comes last: ${rest}`);
      ok(performance.now() - startedMs > firstMs + 50, "the rest takes its time");
    },
  },
  {
    name: "hands on every byte",
    run: async (scene) => {
      const { fetch } = scene.open(["bytes"]);
      const seen = new Uint8Array(await (await fetch(`${scene.root}/x`)).arrayBuffer());
      equal(
        [...seen],
        Array.from({ length: 256 }, (_, byte) => byte),
      );
    },
  },
  {
    name: "hands on a megabyte",
    run: async (scene) => {
      const { fetch } = scene.open(["large"]);
      equal((await (await fetch(`${scene.root}/x?n=1000000`)).blob()).size, 1_000_000);
    },
  },
  {
    name: "holds the place until the body has ended",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["drip"]);
      const response = await fetch(`${scene.root}/x?n=6`);
      equal(orders.backends[0]?.inFlight("request"), 1);
      await response.text();
      equal(orders.backends[0]?.inFlight("request"), 0);
    },
  },
  {
    name: "gives the place back when a body is cancelled",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["stall"]);
      const response = await fetch(`${scene.root}/x`);
      await response.body?.cancel();
      await until(() => orders.backends[0]?.inFlight("request") === 0, "the place is given back");
    },
  },
  {
    name: "gives the place back when nobody reads a short body",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["a"]);
      await fetch(`${scene.root}/x`);
      await until(() => orders.backends[0]?.inFlight("request") === 0, "the place is given back");
    },
  },
  {
    name: "hands on bodies to their ends though nobody has the responses any more",
    run: async (scene) => {
      const { fetch } = scene.open(["drip"]);
      const read = async (): Promise<string> => (await fetch(`${scene.root}/x?n=3`)).text();
      const texts = Array.from({ length: 18 }, read);
      for (let time = 0; time < 10; time++) {
        await pause(10);
        await collectGarbage();
      }
      equal([...new Set(await Promise.all(texts))], ["chunk 0;chunk 1;chunk 2;"]);
    },
  },
  {
    name: "clones an answer, URL included",
    run: async (scene) => {
      const { fetch } = scene.open(["a"]);
      const response = await fetch(`${scene.root}/x`);
      const clone = response.clone();
      equal([clone.url, await clone.text()], [response.url, await response.text()]);
    },
  },
  {
    name: "gives a body that another Response takes over",
    run: async (scene) => {
      const { fetch } = scene.open(["large"]);
      const { body } = await fetch(`${scene.root}/x?n=3`);
      equal(await new Response(body).text(), "xxx");
    },
  },
  {
    name: "answers without a body: HEAD, 204",
    run: async (scene) => {
      const { fetch } = scene.open(["empty"]);
      const response = await fetch(`${scene.root}/x`);
      equal([response.status, await response.text()], [204, ""]);
      const { fetch: head } = scene.open(["a"]);
      equal(await (await head(`${scene.root}/x`, { method: "HEAD" })).text(), "");
    },
  },
  {
    name: "lets reading fail where a body breaks off, and counts it",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["broken"]);
      const response = await fetch(`${scene.root}/x`);
      ok((await rejection(response.text())) instanceof Error, "reading it rejects");
      await until(() => orders.snapshot().backends[0]?.streamFailures === 1, "the failure is counted");
    },
  },
  {
    name: "follows redirects in the caller's terms",
    notInBrowsers: opaque,
    run: async (scene) => {
      const { fetch } = scene.open(["a"]);
      for (const to of [`${scene.root}/there`, `${scene.addresses.good}/a${scene.root}/there`]) {
        const response = await fetch(`${scene.root}/redirect?to=${encodeURIComponent(to)}`);
        equal([response.url, response.redirected], [`http://orders${scene.root}/there`, true]);
        equal(((await response.json()) as { path: string }).path, `${scene.root}/there`);
      }
    },
  },
  {
    name: "follows a POST with a GET after 303, with the body again after 307",
    notInBrowsers: opaque,
    run: async (scene) => {
      const { get } = scene.open(["a"]);
      const to = encodeURIComponent(`${scene.root}/there`);
      const post = { method: "POST", body: "one" };
      const after303 = await get(`/redirect?status=303&to=${to}`, post);
      equal([after303.method, after303.body], ["GET", ""]);
      const after307 = await get(`/redirect?status=307&to=${to}`, post);
      equal([after307.method, after307.body], ["POST", "one"]);
    },
  },
  {
    name: "shows a redirect to who wants to see it, and refuses it for who wants none",
    notInBrowsers: opaque,
    run: async (scene) => {
      const { fetch } = scene.open(["a"]);
      const url = `${scene.root}/redirect?to=/there`;
      const response = await fetch(url, { redirect: "manual" });
      equal([response.status, response.headers.get("location")], [302, "/there"]);
      await response.text();
      ok((await rejection(fetch(url, { redirect: "error" }))) instanceof TypeError, "it rejects with a TypeError");
    },
  },
  {
    name: "waits for bodies when it closes, and refuses new calls",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["drip"]);
      const response = await fetch(`${scene.root}/x?n=4`);
      const closed = orders.close({ drainMs: 2_000 });
      const { cause } = await rejection(fetch(`${scene.root}/y`));
      equal((cause as { code?: string }).code, "FAIRLEAD_ERR_CLOSED");
      equal(await response.text(), "chunk 0;chunk 1;chunk 2;chunk 3;");
      await closed;
    },
  },
  {
    name: "ends what is left when its time to close is up",
    run: async (scene) => {
      const { orders, fetch } = scene.open(["stall", "silent"]);
      const text = (await fetch(`${scene.root}/x`)).text();
      const waiting = fetch(`${scene.root}/y`, { fairlead: { pinned: "silent" } });
      const failures = Promise.all([rejection(text), rejection(waiting)]);
      await pause(20);
      await orders.close({ drainMs: 50 });
      for (const error of await failures) ok(error instanceof Error, "it rejects");
    },
  },
];
