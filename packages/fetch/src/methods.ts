/**
 * Methods whose repetition does no harm.
 *
 * Source: RFC 9110 §9.2.2; QUERY: draft-ietf-httpbis-safe-method-w-body.
 */
export const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "PUT",
  "DELETE",
  "QUERY",
]);
