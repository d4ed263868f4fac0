import type { ConformanceServer, Seen } from "./server.ts";

/** A server as one `fetch` sees it. */
export interface Site {
  readonly name: string;
  readonly fetch: typeof fetch;
  /** What the caller takes for the origin. */
  readonly origin: string;
  readonly server: ConformanceServer;
  /** On another origin, for all alike. */
  readonly other: ConformanceServer;
}

/** A thing that a caller can do with a `fetch`, and what is seen of it. */
export interface Case {
  readonly name: string;
  readonly run: (site: Site) => Promise<unknown>;
}

/** All that a caller and a server can see of a case. */
export interface Observation {
  readonly result: unknown;
  readonly seen: readonly Seen[];
  readonly seenElsewhere: readonly Seen[];
}

export async function observe(site: Site, { run }: Case): Promise<Observation> {
  site.server.take();
  site.other.take();
  const result = await run(site).catch(describeError);
  await Promise.all([site.server.settle(), site.other.settle()]);
  const observation = { result, seen: site.server.take(), seenElsewhere: site.other.take() };
  const text = JSON.stringify(observation, (_key, value: unknown) => (value === undefined ? "undefined" : value))
    .replaceAll(/-{4}formdata-undici-\d+/g, "BOUNDARY")
    .replaceAll(site.server.url, "http://site")
    .replaceAll(site.origin, "http://site")
    .replaceAll(site.other.url, "http://other");
  return JSON.parse(text) as Observation;
}

/** Its class and words, and the code of its cause. */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { thrown: error };
  const { name, message, cause } = error;
  const { code } = (cause ?? {}) as { code?: string };
  return { class: error.constructor.name, name, message, code };
}

const OF_CONNECTIONS = new Set(["date", "connection", "keep-alive"]);

/** All that a response shows, its body included. */
export async function show(response: Response): Promise<unknown> {
  const { status, statusText, ok, url, redirected, type, bodyUsed } = response;
  const headers = [...response.headers].filter(([name]) => !OF_CONNECTIONS.has(name));
  const hasBody = response.body !== null;
  const body = await response.text().catch(describeError);
  const used = response.bodyUsed;
  const isResponse = response instanceof Response;
  return { status, statusText, ok, url, redirected, type, bodyUsed, headers, hasBody, body, used, isResponse };
}
