import { fromBase64Url, toBase64Url } from "./base64url.ts";
import { KEY_ID_BYTES, type KeyRing, type SessionKey } from "./key-ring.ts";

/** A cookie's value and what it says. */
export interface Session {
  readonly text: string;
  /** Id of the backend where it lives. */
  readonly backend: string;
  /** Epoch milliseconds. */
  readonly issuedAt: number;
}

const VERSION = 1;
const IV_BYTES = 16;
const TAG_BYTES = 32;
const TIME_BYTES = 8;
const BODY_AT = 1 + KEY_ID_BYTES;
const CIPHER_AT = BODY_AT + IV_BYTES;
/** Ids are addresses or names of pods; more is no cookie of ours. */
const LONGEST_TEXT = 2_048;

/**
 * Makes the value of a cookie: version, key id, initialisation vector, encrypted time and id, and an HMAC-SHA256 over all
 * of that and over what the cookie is for (`scope`): one for another upstream, or of another name, is worth nothing here.
 *
 * The id is often an address, which is no client's business, so it is encrypted (AES-256-CBC, whose padding hides its
 * length as well); then that is signed, as in RFC 7518 §5.2. With the signature looked at first, a forged cookie costs one
 * hash and is never decrypted; and unlike AES-GCM nothing breaks should two of the many processes that share a key ever
 * draw the same vector.
 */
export async function sealSession(backend: string, issuedAt: number, scope: string, ring: KeyRing): Promise<Session> {
  const [key] = (await ring.keys()) as readonly [SessionKey];
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const time = new Uint8Array(TIME_BYTES);
  new DataView(time.buffer).setFloat64(0, issuedAt);
  const plain = joined(time, new TextEncoder().encode(backend));
  const cipher = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv }, key.encryption, plain));
  const body = joined(Uint8Array.of(VERSION), key.id, iv, cipher);
  const tag = await crypto.subtle.sign("HMAC", key.signature, signed(body, scope));
  return { text: toBase64Url(joined(body, new Uint8Array(tag))), backend, issuedAt };
}

/**
 * The session in a cookie's value, or why there is none. Its `text` is a copy: what is cut out of a header would keep all of
 * that in memory.
 */
export async function openSession(
  text: string,
  scope: string,
  ring: KeyRing,
): Promise<Session | "malformed" | "unknown-key" | "forged"> {
  const bytes = text.length > LONGEST_TEXT ? undefined : fromBase64Url(text);
  if (bytes === undefined || bytes.length <= CIPHER_AT + TAG_BYTES || bytes[0] !== VERSION) return "malformed";
  const copy = toBase64Url(bytes);
  // The last character may have bits that mean nothing: of all ways to write a cookie one counts.
  if (copy !== text) return "malformed";
  const id = bytes.subarray(1, BODY_AT);
  const key = (await ring.keys()).find((one) => one.id.every((byte, index) => byte === id[index]));
  if (key === undefined) return "unknown-key";
  const body = bytes.subarray(0, -TAG_BYTES);
  const genuine = await crypto.subtle.verify("HMAC", key.signature, bytes.subarray(-TAG_BYTES), signed(body, scope));
  if (!genuine) return "forged";
  const iv = body.subarray(BODY_AT, CIPHER_AT);
  const plain = await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key.encryption, body.subarray(CIPHER_AT));
  return {
    text: copy,
    backend: new TextDecoder().decode(plain.slice(TIME_BYTES)),
    issuedAt: new DataView(plain).getFloat64(0),
  };
}

/** What is signed. The length keeps the end of one part from passing as the beginning of the other. */
function signed(body: Uint8Array<ArrayBuffer>, scope: string): Uint8Array<ArrayBuffer> {
  const context = new TextEncoder().encode(scope);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, context.length);
  return joined(length, context, body);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
