// Runs in a Node of the matrix, with an undici of the matrix; prints what it saw as JSON.
import { registerHooks } from "node:module";
import { text } from "node:stream/consumers";

const [undiciVersion = "", deadUrl = "", goodUrl = "", elsewhereUrl = ""] = process.argv.slice(2);

const undiciUrl = undiciVersion === "7" ? import.meta.resolve("undici7") : import.meta.resolve("undici");
registerHooks({
  resolve: (specifier, context, next) => next(specifier === "undici" ? undiciUrl : specifier, context),
});

// Node's own undici gets to set its global dispatcher first: the harder case.
await (await fetch(elsewhereUrl)).text();

const { createBalancer, createRouter, first } = await import("@fairlead/core");
const { createFetch } = await import("../../src/index.ts");
const { BalancedDispatcher, balance, createRequest, undiciTransport } = await import("../../src/undici/index.ts");
const undici = await import("undici");

const open = () => createBalancer({ name: "orders", backends: [deadUrl, goodUrl], strategy: first() });
const post = { method: "POST", body: "one" };
const seen: Record<string, unknown> = {};

async function fetched(response: Response): Promise<unknown> {
  const { url: shown, redirected, status, headers } = response;
  return { shown, redirected, status, type: headers.get("content-type"), ...JSON.parse(await response.text()) };
}

type Fetch = (path: string, init?: RequestInit) => Promise<Response>;

async function* chunks(): AsyncGenerator<Uint8Array> {
  for (const word of ["one ", "two"]) yield new TextEncoder().encode(word);
}

/** What every `fetch` must be able to do. */
async function exercise(name: string, call: Fetch): Promise<void> {
  seen[`${name} GET`] = await fetched(await call("/things?a=1"));
  seen[`${name} POST`] = await fetched(await call("/things", post));
  const streamed = { method: "POST", body: chunks(), duplex: "half" };
  seen[`${name} stream`] = await fetched(await call("/things", streamed as unknown as RequestInit));
  seen[`${name} redirect`] = await fetched(await call("/redirect"));
  seen[`${name} gzip`] = await fetched(await call("/gzip"));
  const controller = new AbortController();
  const endless = await call("/endless", { signal: controller.signal });
  const reason = new Error("enough");
  const read = endless.text().catch((error: unknown) => error);
  controller.abort(reason);
  const error = await read;
  seen[`${name} abort`] = error === reason || (error instanceof Error && error.name);
}

async function run(name: string, exerciseWith: (balancer: ReturnType<typeof open>) => Promise<void>): Promise<void> {
  const balancer = open();
  try {
    await exerciseWith(balancer);
  } catch (error) {
    seen[name] = String(error instanceof Error ? (error.stack ?? error) : error);
  }
  await balancer.close({ drainMs: 1_000 });
  const { backends, calls } = balancer.snapshot();
  seen[`${name} in flight`] = backends.reduce((sum, { requests }) => sum + requests, 0);
  // A GET, and a POST: both were never sent to the backend that nobody reaches.
  seen[`${name} requeued`] = calls.requeues > 1;
}

/** Sends what begins with `/shop` to a balancer, which does not hear of that. */
function routerTo(balancer: ReturnType<typeof open>): ReturnType<typeof createRouter> {
  return createRouter({ name: "gateway", routes: [{ path: "/shop", rewritePath: "/", to: balancer }] });
}

await run("transport", (balancer) => exercise("transport", createFetch(balancer, { fetch: undiciTransport() })));
await run("dispatcher", (balancer) => {
  const dispatcher = new BalancedDispatcher(balancer);
  return exercise("dispatcher", (path, init) => fetch(`http://orders${path}`, { ...init, dispatcher } as RequestInit));
});
await run("undici.fetch", (balancer) => {
  const dispatcher = new BalancedDispatcher(balancer);
  return exercise("undici.fetch", (path, init) =>
    (undici.fetch as unknown as typeof fetch)(`http://orders${path}`, { ...init, dispatcher } as RequestInit),
  );
});
await run("composed", (balancer) => {
  const dispatcher = new undici.Agent().compose(balance(balancer));
  return exercise("composed", (path, init) =>
    (undici.fetch as unknown as typeof fetch)(`http://orders${path}`, { ...init, dispatcher } as RequestInit),
  );
});
await run("routed", (balancer) => {
  const routed = createFetch(routerTo(balancer), { fetch: undiciTransport() });
  return exercise("routed", (path, init) => routed(`/shop${path}`, init));
});
await run("routed plainly", (balancer) => {
  const routed = createFetch(routerTo(balancer));
  return exercise("routed plainly", (path, init) => routed(`/shop${path}`, init));
});
await run("routed dispatcher", (balancer) => {
  const dispatcher = new BalancedDispatcher(routerTo(balancer));
  return exercise("routed dispatcher", (path, init) =>
    fetch(`http://gateway/shop${path}`, { ...init, dispatcher } as RequestInit),
  );
});
await run("upgrade", async (balancer) => {
  const { socket } = await undici.upgrade("http://orders/upgrade", { dispatcher: new BalancedDispatcher(balancer) });
  socket.end("hello");
  seen["upgrade"] = await text(socket);
});
await run("close", async (balancer) => {
  const dispatcher = new BalancedDispatcher(balancer).compose(undici.interceptors.cache());
  const call = fetch("http://orders/things", { dispatcher } as RequestInit);
  const closed = dispatcher.close();
  seen["close"] = await fetched(await call);
  await closed;
  const late = await fetch("http://orders/", { dispatcher } as RequestInit).catch((error: Error) => error.cause);
  seen["closed"] = (late as { code?: string }).code;
});
await run("request", async (balancer) => {
  const request = createRequest(balancer);
  const { statusCode, body } = await request("/things", post);
  seen["request POST"] = { status: statusCode, ...JSON.parse(await text(body)) };
});
await run("global", async (balancer) => {
  const previous = undici.getGlobalDispatcher();
  undici.setGlobalDispatcher(new BalancedDispatcher(balancer));
  await exercise("global", (path, init) => fetch(`http://orders${path}`, init));
  seen["global elsewhere"] = await fetched(await fetch(`${elsewhereUrl}/there`, post));
  const { statusCode, body } = await undici.request(`${elsewhereUrl}/there`, post);
  seen["global request elsewhere"] = { status: statusCode, ...JSON.parse(await text(body)) };
  undici.setGlobalDispatcher(previous);
});

console.log(JSON.stringify(seen));
process.exit();
