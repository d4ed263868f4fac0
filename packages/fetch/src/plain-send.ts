import type { Attempt } from "@fairlead/core";
import type { Addressed } from "./outgoing.ts";
import { present } from "./response.ts";
import { backendUrl } from "./target.ts";
import type { Transport, TransportInit } from "./transport.ts";
import { guardUpload } from "./upload-guard.ts";

/**
 * One attempt by a plain `fetch`, which knows nothing of backends: the URL is rewritten for it, and the response shows the
 * logical one.
 */
export async function sendPlainly(
  transport: Transport,
  { url, to }: Addressed,
  init: TransportInit,
  attempt: Attempt,
  isRedirected: boolean,
): Promise<Response> {
  const answer = await transport(backendUrl(attempt.backend, to.path), guardUpload(init), attempt, to);
  const logical = new URL(url);
  logical.hash = "";
  return present(answer, logical.href, isRedirected, attempt, attempt.balancer);
}
