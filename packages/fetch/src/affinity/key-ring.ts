/** What cookies are made and verified with. */
export interface SessionKey {
  /** So that a cookie says which key it is made with, and nothing of the key. */
  readonly id: Uint8Array<ArrayBuffer>;
  readonly encryption: CryptoKey;
  readonly signature: CryptoKey;
}

export const KEY_ID_BYTES = 4;
const SUBKEY_BYTES = 32;
/** Another use of the same secret gets other keys. */
const PURPOSE = new TextEncoder().encode("fairlead affinity cookie, version 1");

/**
 * The keys made from the secrets of a user, newest first. Each secret gives three: HKDF with SHA-256 (RFC 5869), so that
 * a text serves as well as bytes.
 */
export class KeyRing {
  readonly #secrets: readonly Uint8Array<ArrayBuffer>[];
  #keys: readonly SessionKey[] | undefined;

  constructor(secrets: readonly (string | Uint8Array)[]) {
    this.#secrets = secrets.map((secret) =>
      typeof secret === "string" ? new TextEncoder().encode(secret) : new Uint8Array(secret),
    );
  }

  /** Makes them when first asked: nothing happens before there is a request. */
  async keys(): Promise<readonly SessionKey[]> {
    // Requests that come at the same time may make them twice: in workerd one must not wait for another's promise.
    if (this.#keys === undefined) this.#keys = await Promise.all(this.#secrets.map(keyFrom));
    return this.#keys;
  }
}

async function keyFrom(secret: Uint8Array<ArrayBuffer>): Promise<SessionKey> {
  const { subtle } = crypto;
  const material = await subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: PURPOSE };
  const bits = await subtle.deriveBits(derivation, material, 8 * (2 * SUBKEY_BYTES + KEY_ID_BYTES));
  const encryption = bits.slice(0, SUBKEY_BYTES);
  const signature = bits.slice(SUBKEY_BYTES, 2 * SUBKEY_BYTES);
  return {
    id: new Uint8Array(bits.slice(2 * SUBKEY_BYTES)),
    encryption: await subtle.importKey("raw", encryption, "AES-CBC", false, ["encrypt", "decrypt"]),
    signature: await subtle.importKey("raw", signature, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]),
  };
}
