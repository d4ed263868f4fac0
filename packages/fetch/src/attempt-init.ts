import type { Attempt } from "@fairlead/core";
import { withHeaders } from "./headers.ts";
import type { Addressed } from "./outgoing.ts";
import { attemptHeaders } from "./propagation.ts";
import type { Transport, TransportInit } from "./transport.ts";

/** What a transport is given for one attempt. Redirects are followed above it. */
export function attemptInit(
  { init, oneShot, signal, said }: Addressed,
  attempt: Attempt,
  { keepsOrigin, needsNoSignal }: Transport,
): TransportInit {
  const sent = { ...init, redirect: "manual" } as TransportInit & { signal?: AbortSignal };
  // A signal costs microseconds: such a transport hears of the end through `attempt` unless the caller gave one.
  if (needsNoSignal !== true && (keepsOrigin !== true || signal !== undefined)) sent.signal = attempt.signal;
  if (oneShot !== undefined) sent.body = oneShot.open();
  const { host } = attempt.backend.spec;
  if (keepsOrigin !== true && host !== undefined) sent.headers = withHost(init.headers, host);
  if (said?.propagate === true) sent.headers = withHeaders(sent.headers, attemptHeaders(attempt));
  return sent;
}

/** A caller that names a host means it. */
function withHost(headers: HeadersInit | undefined, host: string): Headers {
  const all = new Headers(headers);
  if (!all.has("host")) all.set("host", host);
  return all;
}
