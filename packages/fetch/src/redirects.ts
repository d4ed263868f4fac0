import type { FetchClient } from "./create-fetch.ts";
import type { Destination } from "./destination.ts";
import { toFetchError } from "./errors.ts";
import { logicalLocation } from "./location.ts";
import type { FairleadInit } from "./options.ts";
import type { Addressed, Outgoing } from "./outgoing.ts";
import { isRedirect, locationOf, redirected } from "./redirect.ts";
import { discard, withUrl } from "./response.ts";

/**
 * A call whose redirects are followed here: every hop may be another backend's, or another route's. One deadline holds for
 * all hops.
 *
 * @throws what `fetch` throws
 */
export function followRedirects(
  client: FetchClient,
  first: Addressed,
  own: FairleadInit | undefined,
): Promise<Response> {
  const { clock } = first.to.balancer;
  const startedMs = clock.now();
  if (first.redirect === "manual") return client.call(first, false);
  return client.call(first, false, (response) =>
    isRedirect(response) ? follow(client, first, own, response, startedMs) : response,
  );
}

async function follow(
  client: FetchClient,
  first: Addressed,
  own: FairleadInit | undefined,
  answer: Response,
  startedMs: number,
): Promise<Response> {
  let request: Outgoing = first;
  let to: Destination | undefined = first.to;
  let response = answer;
  let tainted = false;
  for (let redirects = 0; isRedirect(response); redirects++) {
    const location = locationOf(response);
    if (location === undefined && request.redirect !== "error") break;
    discard(response);
    if (location === undefined || request.redirect === "error")
      throw new TypeError("fetch failed", { cause: new Error("unexpected redirect") });
    request = redirected(request, response.status, resolve(client, location, request.url, to, response), redirects);
    const ours = client.serves(request.url.origin)
      ? // It bounds what the next route says of its own calls.
        addressAgain(client, request, { ...own, deadlineLimitMs: leftMs(first, startedMs) })
      : undefined;
    response = await (ours === undefined ? leave(client, request) : client.call(ours, true));
    // What it is asked for now goes along to the next place.
    request = ours ?? request;
    to = ours?.to;
    if (request.url.origin !== first.url.origin) tainted = true;
    if (tainted && response.type === "basic") showTaint(response);
  }
  return response;
}

/** What is left of the deadline of a call; `undefined`: it has none. */
function leftMs({ said, to: { balancer } }: Addressed, startedMs: number): number | undefined {
  const wantedMs = said?.deadlineMs ?? balancer.settings.deadlineMs;
  const limitMs = said?.deadlineLimitMs;
  const deadlineMs = limitMs === undefined ? wantedMs : Math.min(wantedMs || limitMs, limitMs);
  return deadlineMs === false ? undefined : Math.max(0, deadlineMs - (balancer.clock.now() - startedMs));
}

/** Source: Fetch standard, main fetch, "response tainting". */
function showTaint(response: Response): void {
  const { url, statusText, headers } = response;
  withUrl(response, url, true, { type: "cors", statusText, headers });
}

function leave(client: FetchClient, { url, init, signal, made }: Outgoing): Promise<Response> {
  const toOther: RequestInit = { ...init, redirect: "manual", signal: signal ?? null };
  return client.elsewhere(url.href, toOther, made);
}

/** Where a Location leads, in the caller's terms; `to`: where the response comes from, if it is of a backend of ours. */
function resolve(
  client: FetchClient,
  location: string,
  base: URL,
  to: Destination | undefined,
  response: Response,
): URL {
  try {
    if (to === undefined) return new URL(location, base);
    return logicalLocation(location, base, to, client.answeredBy(response)?.backend);
  } catch (cause) {
    throw new TypeError("fetch failed", { cause });
  }
}

/** `fetch` rejects with errors of its own kind. */
function addressAgain(client: FetchClient, outgoing: Outgoing, own: FairleadInit): Addressed {
  try {
    return client.address(outgoing, own);
  } catch (error) {
    throw toFetchError(error);
  }
}
