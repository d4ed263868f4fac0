import { KINDS, stream } from "./bodies.ts";
import { type Case, type Site, show } from "./site.ts";

type Init = RequestInit & { duplex?: "half" };

const STATUSES = [301, 302, 303, 307, 308];

const to = (origin: string, status: number, location: string, hash = ""): string =>
  `${origin}/to?${new URLSearchParams({ status: String(status), location })}${hash}`;

const headers = { "content-type": "text/x", "content-language": "x", "x-a": "1" };

const REQUESTS: readonly { readonly name: string; readonly init: () => Init }[] = [
  { name: "GET", init: () => ({ headers: { "x-a": "1" } }) },
  { name: "HEAD", init: () => ({ method: "HEAD" }) },
  { name: "POST", init: () => ({ method: "POST", body: "hello", headers }) },
  { name: "post", init: () => ({ method: "post", body: "hello" }) },
  { name: "PUT", init: () => ({ method: "PUT", body: "hello", headers }) },
  { name: "patch", init: () => ({ method: "patch", body: "hello" }) },
  { name: "DELETE", init: () => ({ method: "DELETE" }) },
  {
    name: "POST of a stream",
    init: () => ({ method: "POST", body: stream(new TextEncoder().encode("hello")), duplex: "half" }),
  },
];

const followed: readonly Case[] = STATUSES.flatMap((status) =>
  REQUESTS.map(({ name, init }) => ({
    name: `${status} after ${name}`,
    run: async ({ fetch, origin }) => show(await fetch(to(origin, status, "/after?a=1"), init())),
  })),
);

const replayed: readonly Case[] = KINDS.flatMap((kind) =>
  [307, 303].map((status) => ({
    name: `${status} after a Request with ${kind.name}`,
    run: async ({ fetch, origin }: Site) => {
      const init: Init = { method: "POST", body: kind.make() as BodyInit, ...(kind.streams && { duplex: "half" }) };
      return show(await fetch(new Request(to(origin, status, "/after"), init)));
    },
  })),
);

const modes: readonly Case[] = STATUSES.flatMap((status) =>
  (["manual", "error"] as const).flatMap((redirect) => [
    {
      name: `${status} in mode ${redirect}`,
      run: async ({ fetch, origin }) => show(await fetch(to(origin, status, "/after"), { redirect })),
    },
    {
      name: `${status} after a Request in mode ${redirect}`,
      run: async ({ fetch, origin }: Site) =>
        show(await fetch(new Request(to(origin, status, "/after"), { redirect }))),
    },
  ]),
);

const go =
  (path: string, init?: Init) =>
  async ({ fetch, origin }: Site): Promise<unknown> =>
    show(await fetch(origin + path, init));

const secrets = { authorization: "a", cookie: "b", "proxy-authorization": "c", "x-own": "d", "idempotency-key": "e" };

const elsewhere: readonly Case[] = STATUSES.flatMap((status) =>
  ["GET", "POST"].map((method) => ({
    name: `${status} to another origin after ${method} with credentials`,
    run: async ({ fetch, origin, other }: Site) => {
      const init = { method, headers: secrets, ...(method === "POST" && { body: "hello" }) };
      return show(await fetch(to(origin, status, `${other.url}/there`), init));
    },
  })),
);

const LOCATIONS = [
  "",
  "after",
  "./after",
  "../after",
  "/a/../after",
  "?b=2",
  "#part",
  "/after#new",
  "/a b",
  "/%2e%2e/after",
  "//",
  "http://",
  "http://[",
  "http://host:99999/",
  "data:,x",
  "ftp://host/",
  "about:blank",
  "javascript:1",
  "mailto:x",
  "\\after",
  "http:after",
  "file:///etc/passwd",
  "blob:http://x/y",
];

const locations: readonly Case[] = LOCATIONS.map((location) => ({
  name: `a Location ${JSON.stringify(location)}`,
  run: async ({ fetch, origin }) => show(await fetch(to(origin, 302, location, "#old"))),
}));

const special: readonly Case[] = [
  { name: "one redirect after the other", run: go("/chain/3") },
  { name: "twenty redirects", run: go("/chain/20") },
  { name: "twenty-one redirects", run: go("/chain/21") },
  { name: "redirects without end", run: go("/endless") },
  { name: "a redirect that names no place", run: go("/no-location") },
  { name: "a redirect that names no place, in mode error", run: go("/no-location", { redirect: "error" }) },
  { name: "a redirect that names no place, in mode manual", run: go("/no-location", { redirect: "manual" }) },
  { name: "a place in UTF-8", run: go("/utf8-location") },
  { name: "two places", run: go("/two-locations") },
  { name: "a redirect whose body is not what it says", run: go("/gzip-redirect") },
  { name: "a fragment that is kept", run: go(to("", 302, "/after", "#kept")) },
  {
    name: "the same origin by its full name",
    run: async ({ fetch, origin, server }) => show(await fetch(to(origin, 302, `${server.url}/after`))),
  },
  {
    name: "the same origin by its full name, with credentials of the caller",
    run: async ({ fetch, origin, server }) =>
      show(await fetch(to(origin, 307, `${server.url}/after`), { method: "POST", body: "x", headers: secrets })),
  },
  {
    name: "the same origin without its scheme",
    run: async ({ fetch, origin, server }) => show(await fetch(to(origin, 302, `${server.url.slice(5)}/after`))),
  },
  {
    name: "the same origin in capitals",
    run: async ({ fetch, origin, server }) =>
      show(await fetch(to(origin, 302, `${server.url.replace("http", "HTTP")}/after`))),
  },
  ...["user:word@", "user@"].flatMap((userinfo) => [
    {
      name: `a place on the same origin with ${userinfo}`,
      run: async ({ fetch, origin, server }: Site) =>
        show(await fetch(to(origin, 302, `${server.url.replace("//", `//${userinfo}`)}/after`))),
    },
    {
      name: `a place on another origin with ${userinfo}`,
      run: async ({ fetch, origin, other }: Site) =>
        show(await fetch(to(origin, 302, `${other.url.replace("//", `//${userinfo}`)}/after`))),
    },
  ]),
  {
    name: "another origin and back, with credentials",
    run: async ({ fetch, origin, server, other }) =>
      show(await fetch(to(origin, 302, to(other.url, 302, `${server.url}/after`)), { headers: secrets })),
  },
  {
    name: "two redirects on another origin",
    run: async ({ fetch, origin, other }) =>
      show(await fetch(to(origin, 302, `${other.url}/chain/2`), { headers: { "x-a": "1" } })),
  },
  {
    name: "twenty-one redirects, most on another origin",
    run: async ({ fetch, origin, other }) => show(await fetch(to(origin, 302, `${other.url}/chain/20`))),
  },
  {
    name: "another origin that resets",
    run: async ({ fetch, origin, other }) => show(await fetch(to(origin, 302, `${other.url}/reset`))),
  },
];

export const redirectCases: readonly Case[] = [
  ...followed,
  ...replayed,
  ...modes,
  ...elsewhere,
  ...locations,
  ...special,
].map(({ name, run }) => ({ name: `redirect: ${name}`, run }));
