import type { Attempt, Backend } from "@fairlead/core";
import type { FetchClient } from "./create-fetch.ts";
import { withHeaders } from "./headers.ts";
import type { FairleadInit } from "./options.ts";
import type { Outgoing } from "./outgoing.ts";
import { attemptHeaders } from "./propagation.ts";
import { locationOf, redirected } from "./redirect.ts";
import { discard, present, withUrl } from "./response.ts";
import { backendUrl, httpUrl } from "./target.ts";
import type { TransportInit } from "./transport.ts";

/**
 * The way through a plain `fetch`, which knows nothing of backends: URLs are rewritten for it, redirects are followed
 * here, and responses are shown with the logical URL.
 */
export class PlainRoute {
  readonly #client: FetchClient;
  readonly #answeredBy = new WeakMap<Response, Backend>();

  constructor(client: FetchClient) {
    this.#client = client;
  }

  async fetch(first: Outgoing, said: FairleadInit | undefined): Promise<Response> {
    const { clock, settings } = this.#client.balancer;
    const wantedMs = said?.deadlineMs ?? settings.deadlineMs;
    const limitMs = said?.deadlineLimitMs;
    const deadlineMs = limitMs === undefined ? wantedMs : Math.min(wantedMs || limitMs, limitMs);
    const startedMs = clock.now();
    let current = first;
    for (let redirects = 0; ; redirects++) {
      // One deadline for all hops.
      const left = deadlineMs === false ? false : Math.max(0, deadlineMs - (clock.now() - startedMs));
      const response = await this.#hop(current, redirects === 0 ? said : { ...said, deadlineMs: left }, redirects > 0);
      const location = current.redirect === "manual" ? undefined : locationOf(response);
      if (location === undefined) return response;
      const url = this.#resolve(location, current.url, this.#answeredBy.get(response));
      discard(response);
      current = redirected(current, response.status, url, redirects);
    }
  }

  async #hop(outgoing: Outgoing, said: FairleadInit | undefined, isRedirected: boolean): Promise<Response> {
    const { url, init, signal } = outgoing;
    if (url.origin === this.#client.balancer.origin)
      return this.#client.call(outgoing, said, (attempt) => this.#send(outgoing, said, attempt, isRedirected));
    const response = await this.#client.elsewhere(url.href, { ...init, redirect: "manual", signal: signal ?? null });
    return withUrl(response, response.url, isRedirected, response.type);
  }

  async #send(
    { url, init, oneShot }: Outgoing,
    said: FairleadInit | undefined,
    attempt: Attempt,
    isRedirected: boolean,
  ): Promise<Response> {
    const { backend } = attempt;
    const toBackend = { ...init, redirect: "manual", signal: attempt.signal } satisfies TransportInit;
    if (backend.spec.host !== undefined) toBackend.headers = withHost(init.headers, backend.spec.host);
    if (said?.propagate === true) toBackend.headers = withHeaders(toBackend.headers, attemptHeaders(attempt));
    if (oneShot !== undefined) toBackend.body = oneShot.open();
    const { transport, balancer } = this.#client;
    const answer = await transport(backendUrl(backend, url), toBackend, attempt);
    const logical = new URL(url);
    logical.hash = "";
    const response = present(answer, logical.href, isRedirected, attempt, balancer);
    this.#answeredBy.set(response, backend);
    return response;
  }

  /** A backend that speaks of itself means the service. */
  #resolve(location: string, base: URL, backend: Backend | undefined): URL {
    const url = parseLocation(location, base);
    if (backend === undefined) return url;
    const own = new URL(httpUrl(backend.url));
    if (url.origin !== own.origin) return url;
    const prefix = own.pathname === "/" ? "" : own.pathname;
    const path = url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length) : url.pathname;
    const logical = new URL(this.#client.balancer.origin);
    // Part by part: as one text, `//host` would be another origin.
    logical.pathname = path;
    logical.search = url.search;
    logical.hash = url.hash;
    return logical;
  }
}

function parseLocation(location: string, base: URL): URL {
  try {
    return new URL(location, base);
  } catch (cause) {
    throw new TypeError("fetch failed", { cause });
  }
}

/** A caller that names a host means it. */
function withHost(headers: HeadersInit | undefined, host: string): Headers {
  const all = new Headers(headers);
  if (!all.has("host")) all.set("host", host);
  return all;
}
