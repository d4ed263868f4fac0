import type { Body, RepeatingClient } from "./clients.ts";
import type { Failure } from "./failures.ts";

export const METHODS = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "POST", "PATCH", "PURGE"] as const;
const IDEMPOTENT: readonly string[] = METHODS.slice(0, 7);

export interface RepeatingCall {
  readonly client: RepeatingClient;
  readonly failure: Failure;
  readonly method: string;
  readonly body: Body;
}

/** Whether a client makes such a request at all. */
export function isTaken({ client, method, body }: RepeatingCall): boolean {
  if (!client.isFetch) return body !== "URLSearchParams";
  return method !== "TRACE" && (body === "none" || (method !== "GET" && method !== "HEAD"));
}

/** The whole rule. `undefined`: the kernel decides. */
export function isRepeated({ client, failure, method, body }: RepeatingCall): boolean | undefined {
  const isHarmless = IDEMPOTENT.includes(method) && client.replayable.includes(body);
  const sent = failure.isUnproven === true && !client.knowsSent ? true : failure.sent;
  if (sent === false) return true;
  return sent === undefined && !isHarmless ? undefined : isHarmless;
}

export function isIdempotent({ method }: RepeatingCall): boolean {
  return IDEMPOTENT.includes(method);
}
