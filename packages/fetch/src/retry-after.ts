/** Seconds as RFC 9110 §10.2.3 writes them: digits alone. */
const DELTA_SECONDS = /^\d+$/;
/** The three HTTP date formats (RFC 9110 §5.6.7), the last of which leaves `GMT` unsaid. Keeps `Date.parse` from guessing. */
const HTTP_DATE = /^[a-z]{3,9},? (?:\d\d[ -][a-z]{3}[ -]\d{2,4}|[a-z]{3} [ \d]\d) \d\d:\d\d:\d\d (?:GMT|\d{4})$/i;

/**
 * Milliseconds that a `Retry-After` header asks for, ≥ 0; `undefined` if it says nothing of use.
 *
 * Source: RFC 9110 §10.2.3. A date that has passed is 0: the wait is over.
 */
export function parseRetryAfter(value: string | null | undefined, wallNowMs: number): number | undefined {
  const text = value?.trim();
  if (text === undefined || text === "") return undefined;
  if (DELTA_SECONDS.test(text)) return Math.min(Number(text) * 1_000, Number.MAX_SAFE_INTEGER);
  if (!HTTP_DATE.test(text)) return undefined;
  const at = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : Math.max(0, at - wallNowMs);
}
