import type { FetchClient } from "./create-fetch.ts";
import { toFetchError } from "./errors.ts";
import { logicalLocation } from "./location.ts";
import type { FairleadInit } from "./options.ts";
import type { Addressed, Outgoing } from "./outgoing.ts";
import { locationOf, redirected } from "./redirect.ts";
import { discard, withUrl } from "./response.ts";

/**
 * A call whose redirects are followed here, because the transport can't or because another route may take them. One
 * deadline holds for all hops.
 *
 * @throws what `fetch` throws
 */
export async function followRedirects(
  client: FetchClient,
  first: Addressed,
  own: FairleadInit | undefined,
): Promise<Response> {
  const { clock, settings } = first.to.balancer;
  const wantedMs = first.said?.deadlineMs ?? settings.deadlineMs;
  const limitMs = first.said?.deadlineLimitMs;
  const deadlineMs = limitMs === undefined ? wantedMs : Math.min(wantedMs || limitMs, limitMs);
  const startedMs = clock.now();
  let current: Outgoing | Addressed = first;
  let response = await client.call(first, false);
  for (let redirects = 0; ; redirects++) {
    const location = current.redirect === "manual" ? undefined : locationOf(response);
    if (location === undefined) return response;
    const url = resolve(client, location, current, response);
    discard(response);
    const next = redirected(current, response.status, url, redirects);
    if (client.serves(url.origin)) {
      // It bounds what the next route says of its own calls.
      const left = deadlineMs === false ? undefined : Math.max(0, deadlineMs - (clock.now() - startedMs));
      const addressed = addressAgain(client, next, { ...own, deadlineLimitMs: left });
      current = addressed;
      response = await client.call(addressed, true);
    } else {
      current = next;
      response = await leave(client, next);
    }
  }
}

async function leave(client: FetchClient, { url, init, signal }: Outgoing): Promise<Response> {
  const response = await client.elsewhere(url.href, { ...init, redirect: "manual", signal: signal ?? null });
  return withUrl(response, response.url, true, response.type);
}

/** Where a Location leads, in the caller's terms. */
function resolve(client: FetchClient, location: string, from: Outgoing | Addressed, response: Response): URL {
  try {
    return "to" in from
      ? logicalLocation(location, from.url, from.to, client.answeredBy(response))
      : new URL(location, from.url);
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
