import { stream } from "./bodies.ts";
import { type Case, describeError, type Site, show } from "./site.ts";

type Init = RequestInit & { duplex?: "half" };

class Own extends Error {}

const REASONS: readonly { readonly name: string; readonly make: () => unknown }[] = [
  { name: "an error", make: () => new Own("mine") },
  { name: "a text", make: () => "text" },
  { name: "a number", make: () => 0 },
  { name: "null", make: () => null },
  { name: "no reason", make: () => undefined },
];

/** Aborts when `when` resolves; tells how the call and then the body end, and whether that is the very reason. */
async function aborted(
  { fetch, origin, server }: Site,
  path: string,
  when: "before" | "at once" | "at its arrival" | "at the body" | "at the end",
  reason: unknown,
  init: Init = {},
): Promise<unknown> {
  const controller = new AbortController();
  const { signal } = controller;
  const ours = (error: unknown): unknown => (error === signal.reason ? "the reason" : describeError(error));
  const abort = (): void => (reason === undefined ? controller.abort() : controller.abort(reason));
  if (when === "before") abort();
  const call = fetch(origin + path, { ...init, signal });
  if (when === "at once") abort();
  if (when === "at its arrival") server.onArrival(abort);
  try {
    const response = await call;
    if (when === "at the body") setTimeout(abort, 20);
    if (when !== "at the end") return await response.text().catch(ours);
    const shown = await show(response);
    abort();
    return shown;
  } catch (error) {
    return ours(error);
  }
}

const moments = REASONS.flatMap(({ name, make }) =>
  (
    [
      ["before", "/hang"],
      ["at once", "/hang"],
      ["at its arrival", "/hang"],
      ["at the body", "/stream"],
      ["at the end", "/x"],
    ] as const
  ).flatMap(([when, path]) => [
    { name: `${when} with ${name}`, run: (site: Site) => aborted(site, path, when, make()) },
    {
      name: `${when} with ${name}, of a POST`,
      run: (site: Site) => aborted(site, path, when, make(), { method: "POST", body: "hello" }),
    },
    {
      name: `${when} with ${name}, of a stream`,
      run: (site: Site) => {
        const body = stream(new TextEncoder().encode("hello"));
        return aborted(site, path, when, make(), { method: "POST", body, duplex: "half" });
      },
    },
  ]),
);

const withReason = async (site: Site, init: Init, reason: () => unknown, request?: Init): Promise<unknown> => {
  const url = `${site.origin}/hang`;
  return site.fetch(request === undefined ? url : new Request(url, request), init).then(
    () => "an answer",
    (error: unknown) => (error === reason() ? "the reason" : describeError(error)),
  );
};

const special: readonly Case[] = [
  {
    name: "by AbortSignal.timeout",
    run: async (site) => {
      const signal = AbortSignal.timeout(30);
      return withReason(site, { signal }, () => signal.reason);
    },
  },
  {
    name: "by the signal of a Request",
    run: async (site) => {
      const signal = AbortSignal.abort(new Own("mine"));
      return withReason(site, {}, () => signal.reason, { signal });
    },
  },
  {
    name: "by the signal of a Request, later",
    run: async (site) => {
      const controller = new AbortController();
      site.server.onArrival(() => controller.abort(new Own("mine")));
      return withReason(site, {}, () => controller.signal.reason, { signal: controller.signal });
    },
  },
  {
    name: "by the signal of the init, not that of a Request",
    run: async (site) => {
      const theirs = new AbortController();
      const own = new AbortController();
      site.server.onArrival(() => {
        theirs.abort(new Own("theirs"));
        own.abort(new Own("mine"));
      });
      return withReason(site, { signal: own.signal }, () => own.signal.reason, { signal: theirs.signal });
    },
  },
  {
    name: "by the signal of a Request, which the init takes away",
    run: async (site) => {
      const request = new Request(`${site.origin}/x`, { signal: AbortSignal.abort() });
      return show(await site.fetch(request, { signal: null }));
    },
  },
  {
    name: "a signal that is none",
    run: async (site) => show(await site.fetch(`${site.origin}/x`, { signal: {} as AbortSignal })),
  },
  {
    name: "a signal that is undefined",
    run: async (site) => show(await site.fetch(`${site.origin}/x`, { signal: undefined as never })),
  },
  {
    name: "during a redirect",
    run: (site) => aborted(site, "/to?status=302&location=%2Fhang", "at its arrival", new Own("mine")),
  },
  {
    name: "a body that is read by a reader",
    run: async ({ fetch, origin }) => {
      const controller = new AbortController();
      const response = await fetch(`${origin}/stream`, { signal: controller.signal });
      const reader = response.body?.getReader();
      const first = new TextDecoder().decode((await reader?.read())?.value);
      const reason = new Own("mine");
      controller.abort(reason);
      const next = await reader?.read().catch((error: unknown) => error === reason);
      return { first, next };
    },
  },
  {
    name: "a body that a clone has as well",
    run: async ({ fetch, origin }) => {
      const controller = new AbortController();
      const response = await fetch(`${origin}/stream`, { signal: controller.signal });
      const both = [response.clone(), response].map((each) => each.text());
      const reason = new Own("mine");
      setTimeout(() => controller.abort(reason), 20);
      const ends = await Promise.allSettled(both);
      return ends.map((end) => end.status === "rejected" && end.reason === reason);
    },
  },
];

export const abortCases: readonly Case[] = [...moments, ...special].map(({ name, run }) => ({
  name: `abort: ${name}`,
  run,
}));
