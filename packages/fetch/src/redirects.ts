import type { FetchClient } from "./create-fetch.ts";
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
  let crossed = false;
  for (let redirects = 0; ; redirects++) {
    if (current.redirect === "manual" || !isRedirect(response)) return response;
    const location = locationOf(response);
    if (location === undefined && current.redirect !== "error") return response;
    discard(response);
    if (location === undefined || current.redirect === "error")
      throw new TypeError("fetch failed", { cause: new Error("unexpected redirect") });
    const url = resolve(client, location, current, response);
    const next = redirected(current, response.status, url, redirects);
    if (client.serves(url.origin)) {
      const left = deadlineMs === false ? false : Math.max(0, deadlineMs - (clock.now() - startedMs));
      const addressed = addressAgain(client, next, { ...own, deadlineMs: left });
      current = addressed;
      response = await client.call(addressed, true);
    } else {
      current = next;
      response = await leave(client, next);
    }
    crossed ||= url.origin !== first.url.origin;
    if (crossed && response.type === "basic") withUrl(response, response.url, true, tainted(response));
  }
}

/** Source: Fetch standard, main fetch, "response tainting". */
function tainted({ statusText, headers }: Response): Pick<Response, "type" | "statusText" | "headers"> {
  return { type: "cors", statusText, headers };
}

function leave(client: FetchClient, { url, init, signal, made }: Outgoing): Promise<Response> {
  const toOther: RequestInit = { ...init, redirect: "manual", signal: signal ?? null };
  return client.elsewhere(url.href, toOther, made);
}

/** Where a Location leads, in the caller's terms. */
function resolve(client: FetchClient, location: string, from: Outgoing | Addressed, response: Response): URL {
  try {
    return "to" in from
      ? logicalLocation(location, from.url, from.to, client.answeredBy(response)?.backend)
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
