import type { Attempt } from "@fairlead/core";
import { withHeaders } from "./headers.ts";
import type { Addressed } from "./outgoing.ts";
import { attemptHeaders } from "./propagation.ts";
import { present } from "./response.ts";
import { backendUrl } from "./target.ts";
import type { Transport, TransportInit } from "./transport.ts";

/**
 * One attempt by a plain `fetch`, which knows nothing of backends: the URL is rewritten for it, and the response shows the
 * logical one.
 */
export async function sendPlainly(
  transport: Transport,
  { url, init, oneShot, said, to }: Addressed,
  attempt: Attempt,
  isRedirected: boolean,
): Promise<Response> {
  const { backend, balancer } = attempt;
  const toBackend = { ...init, redirect: "manual", signal: attempt.signal } satisfies TransportInit;
  if (backend.spec.host !== undefined) toBackend.headers = withHost(init.headers, backend.spec.host);
  if (said?.propagate === true) toBackend.headers = withHeaders(toBackend.headers, attemptHeaders(attempt));
  if (oneShot !== undefined) toBackend.body = oneShot.open();
  const answer = await transport(backendUrl(backend, to.path), toBackend, attempt, to);
  const logical = new URL(url);
  logical.hash = "";
  return present(answer, logical.href, isRedirected, attempt, balancer);
}

/** A caller that names a host means it. */
function withHost(headers: HeadersInit | undefined, host: string): Headers {
  const all = new Headers(headers);
  if (!all.has("host")) all.set("host", host);
  return all;
}
