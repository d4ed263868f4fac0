import { type Case, describeError, type Site, show } from "./site.ts";

type Init = RequestInit & Record<string, unknown>;

const ask =
  (init: unknown) =>
  async ({ fetch, origin }: Site) =>
    show(await fetch(`${origin}/x`, init as Init));

function* entries(): Generator<[string, string]> {
  yield ["x-a", "1"];
  yield ["x-b", "2"];
}

class OwnInit {
  get method(): string {
    return "PUT";
  }
  get headers(): Record<string, string> {
    return { "x-a": "1" };
  }
  get body(): string {
    return "own";
  }
}

const INITS: Record<string, unknown> = {
  "no init": undefined,
  "null for an init": null,
  "an empty init": {},
  "a text for an init": "text",
  "a number for an init": 1,
  "a function for an init": () => {},
  "an init without a prototype": Object.assign(Object.create(null), { method: "PUT", body: "x" }),
  "an init that inherits": Object.create({ method: "PUT", body: "x", headers: { "x-a": "1" } }),
  "an init of a class": new OwnInit(),
  "an init of undefined": { method: undefined, body: undefined, headers: undefined, signal: undefined },
  "null for a method": { method: null },
  "null for headers": { headers: null },
  "a Map of headers": { headers: new Map([["x-a", "1"]]) },
  "an array of headers": {
    headers: [
      ["x-a", "1"],
      ["X-A", "2"],
    ],
  },
  "a half entry of headers": { headers: [["x-a"]] },
  "a text for headers": { headers: "x-a: 1" },
  "a header twice": {
    headers: new Headers([
      ["x-a", "1"],
      ["x-a", "2"],
    ]),
  },
  "a header with spaces around": { headers: { "x-a": "  1  " } },
  "a header of numbers": { headers: { "x-a": 1 } },
  "a header in Latin": { headers: { "x-a": "é" } },
  "a header beyond Latin": { headers: { "x-a": "☀" } },
  "a header with a line break": { headers: { "x-a": "1\r\nx-b: 2" } },
  "a header with a NUL": { headers: { "x-a": "1\0" } },
  "a header name with a line break": { headers: { "x-a\r\nx-b": "1" } },
  "an empty header name": { headers: { "": "1" } },
  "a header name with a space": { headers: { "x a": "1" } },
  "connection: close": { headers: { connection: "close" } },
  "connection: upgrade": { headers: { connection: "upgrade", upgrade: "x" } },
  "transfer-encoding": { headers: { "transfer-encoding": "chunked" } },
  expect: { method: "POST", body: "x", headers: { expect: "100-continue" } },
  te: { headers: { te: "trailers" } },
  "keep-alive": { headers: { "keep-alive": "timeout=5" } },
  "accept and user-agent": { headers: { accept: "text/x", "user-agent": "own", "accept-language": "de" } },
  "accept-encoding": { headers: { "accept-encoding": "gzip" } },
  "a range": { headers: { range: "bytes=0-1" } },
  "if-none-match": { headers: { "if-none-match": '"a"' } },
  "cache no-store": { cache: "no-store" },
  "cache reload": { cache: "reload" },
  "cache no-cache": { cache: "no-cache" },
  "cache force-cache": { cache: "force-cache" },
  "cache only-if-cached": { cache: "only-if-cached" },
  "cache of nonsense": { cache: "nonsense" },
  "credentials include": { credentials: "include" },
  "credentials omit": { credentials: "omit" },
  "credentials of nonsense": { credentials: "nonsense" },
  "mode cors": { mode: "cors" },
  "mode no-cors": { mode: "no-cors" },
  "mode same-origin": { mode: "same-origin" },
  "mode navigate": { mode: "navigate" },
  "redirect of nonsense": { redirect: "nonsense" },
  keepalive: { keepalive: true },
  "keepalive with a body": { keepalive: true, method: "POST", body: "x" },
  "no referrer": { referrer: "" },
  "referrer about:client": { referrer: "about:client" },
  "a referrer on another site": { referrer: "http://referrer.test/page" },
  "a referrer of nonsense": { referrer: "http://[" },
  "referrerPolicy unsafe-url": { referrer: "http://referrer.test/page", referrerPolicy: "unsafe-url" },
  "referrerPolicy no-referrer": { referrer: "http://referrer.test/page", referrerPolicy: "no-referrer" },
  "referrerPolicy of nonsense": { referrerPolicy: "nonsense" },
  "integrity that holds": { integrity: "sha256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" },
  "integrity that does not hold": { integrity: "sha256-AAAAul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" },
  priority: { priority: "high" },
  "window null": { window: null },
  "a window": { window: {} },
  "duplex without a body": { duplex: "half" },
  "duplex full": { duplex: "full", method: "POST", body: "x" },
  "options that do not exist": { mehtod: "PUT" },
};

const generated: readonly Case[] = [
  ...Object.entries(INITS).map(([name, init]) => ({ name, run: ask(init) })),
  { name: "headers from a generator", run: async (site) => ask({ headers: entries() })(site) },
];

const byRequest: readonly Case[] = Object.entries(INITS)
  .filter(([, init]) => typeof init === "object" && init !== null)
  .map(([name, init]) => ({
    name: `a Request with ${name}`,
    run: async ({ fetch, origin }) => show(await fetch(new Request(`${origin}/x`, init as Init))),
  }));

const special: readonly Case[] = [
  { name: "no arguments", run: async ({ fetch }) => (fetch as unknown as () => Promise<Response>)().then(show) },
  { name: "a symbol", run: async ({ fetch }) => show(await fetch(Symbol("x") as never)) },
  { name: "a URL", run: async ({ fetch, origin }) => show(await fetch(new URL("/a b?c=é#d", origin))) },
  { name: "a text object", run: async ({ fetch, origin }) => show(await fetch(new String(`${origin}/x`) as string)) },
  {
    name: "what is turned into a text",
    run: async ({ fetch, origin }) => show(await fetch({ toString: () => `${origin}/x` } as string)),
  },
  {
    name: "what can't be turned into a text",
    run: async ({ fetch }) =>
      show(
        await fetch({
          toString: () => {
            throw new RangeError("mine");
          },
        } as unknown as string),
      ),
  },
  { name: "white space around", run: async ({ fetch, origin }) => show(await fetch(`  ${origin}/x\n`)) },
  { name: "dot segments", run: async ({ fetch, origin }) => show(await fetch(`${origin}/a/../b/./c/%2e%2e/d`)) },
  { name: "backslashes", run: async ({ fetch, origin }) => show(await fetch(`${origin}\\a\\..\\b`)) },
  { name: "a host in the path", run: async ({ fetch, origin }) => show(await fetch(`${origin}//other.test/x`)) },
  { name: "a query and a fragment", run: async ({ fetch, origin }) => show(await fetch(`${origin}/x?a=1&b=%20#part`)) },
  { name: "no path", run: async ({ fetch, origin }) => show(await fetch(origin)) },
  { name: "only a query", run: async ({ fetch, origin }) => show(await fetch(`${origin}?a`)) },
  { name: "capitals", run: async ({ fetch, origin }) => show(await fetch(`${origin.toUpperCase()}/X`)) },
  {
    name: "credentials",
    run: async ({ fetch, origin }) => show(await fetch(`${origin.replace("//", "//user:word@")}/x`)),
  },
  { name: "a scheme that is not HTTP", run: async ({ fetch }) => show(await fetch("ftp://host/x")) },
  { name: "a data URL", run: async ({ fetch }) => show(await fetch("data:text/x,hello")) },
  { name: "about:blank", run: async ({ fetch }) => show(await fetch("about:blank")) },
  {
    name: "a blob URL",
    run: async ({ fetch }) => {
      const url = URL.createObjectURL(new Blob(["hello"]));
      return show(await fetch(url)).then((shown) => JSON.parse(JSON.stringify(shown).replaceAll(url, "URL")));
    },
  },
  { name: "a port that is blocked", run: async ({ fetch }) => show(await fetch("http://127.0.0.1:6000/")) },
  { name: "no this", run: async ({ fetch, origin }) => show(await fetch.call(undefined, `${origin}/x`)) },
  { name: "another this", run: async ({ fetch, origin }) => show(await fetch.call({} as never, `${origin}/x`)) },
  { name: "its length", run: async ({ fetch }) => [fetch.length, fetch.name] },
  {
    name: "what it never throws",
    run: async ({ fetch }) => {
      const call = fetch("http://[");
      return [call instanceof Promise, await call.then(show, describeError)];
    },
  },
  {
    name: "a Request for an init",
    run: async ({ fetch, origin }) =>
      show(
        await fetch(`${origin}/y`, new Request(`${origin}/x`, { method: "PUT", headers: { "x-a": "1" }, body: "x" })),
      ),
  },
  {
    name: "a Request twice, without a body",
    run: async ({ fetch, origin }) => {
      const request = new Request(`${origin}/x`, { headers: { "x-a": "1" } });
      return [await show(await fetch(request)), await show(await fetch(request))];
    },
  },
  {
    name: "a Request with headers, and others",
    run: async ({ fetch, origin }) =>
      show(
        await fetch(new Request(`${origin}/x`, { headers: { "x-a": "1", "x-b": "2" } }), { headers: { "x-a": "3" } }),
      ),
  },
  {
    name: "a Request with undefined over it",
    run: async ({ fetch, origin }) =>
      show(
        await fetch(new Request(`${origin}/x`, { method: "PUT", headers: { "x-a": "1" } }), {
          method: undefined,
          headers: undefined,
        } as never),
      ),
  },
  {
    name: "a Request that inherits a Request",
    run: async ({ fetch, origin }) => {
      class Mine extends Request {}
      return show(await fetch(new Mine(`${origin}/x`, { method: "PUT", body: "x" })));
    },
  },
];

export const inputCases: readonly Case[] = [...generated, ...byRequest, ...special].map(({ name, run }) => ({
  name: `input: ${name}`,
  run,
}));
