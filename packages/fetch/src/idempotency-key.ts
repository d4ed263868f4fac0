import { isKey } from "./options.ts";

/** Where the key of a call comes from: see `FairleadInit.idempotencyKey`. */
export type IdempotencyKey = boolean | string | (() => string);

/** Source: draft-ietf-httpapi-idempotency-key-header. */
export const IDEMPOTENCY_KEY = "idempotency-key";

/**
 * The key of one call, the same for all its attempts; `undefined`: it has none. One that the caller `given` counts first.
 *
 * @throws TypeError if a function makes none; whatever it throws
 */
export function keyOf(
  source: IdempotencyKey | undefined,
  given: string | undefined,
  isIdempotent: boolean,
): string | undefined {
  if (source === undefined || source === false) return undefined;
  if (given !== undefined && given !== "") return given;
  if (source === "given") return undefined;
  if (typeof source === "string") return source;
  if (isIdempotent) return undefined;
  if (source === true) return randomKey();
  const key: unknown = source();
  if (typeof key === "string" && isKey(key)) return key;
  throw new TypeError("idempotencyKey must return a text of printable ASCII");
}

/** A quoted text, as the draft has it. Not `randomUUID`: pages that are not served by HTTPS lack it. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `"${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}"`;
}
