import { type Expected, expected, type KeyAffinity, OptionCheck, type SessionAffinity } from "@fairlead/core";
import { cookieName } from "./cookie-name.ts";

/** Options of `cookieAffinity`. */
export interface CookieAffinityOptions {
  /**
   * Secrets of at least 32 random bytes, as a text (of an environment variable) or as bytes. The first signs, all verify:
   * to rotate, put a new one in front, and drop the old one a `ttlMs` later. Every process needs the same.
   */
  readonly keys: readonly (string | Uint8Array)[];
  /** Default: one for each upstream, such as `fairlead_1f7b2a90`. A name given must not serve two upstreams of one host. */
  readonly name?: string | undefined;
  /** How long a session lives, milliseconds, 1,000 to 34,560,000,000 (400 days, the most that browsers keep). Default 86,400,000. */
  readonly ttlMs?: number | undefined;
  /** Whether that counts from the last request (`sliding`, default) or from the first (`fixed`). */
  readonly mode?: "sliding" | "fixed" | undefined;
  /** With `sliding`: how old a cookie is before it is renewed, milliseconds; 0: with every response. Default a tenth of `ttlMs`. */
  readonly refreshAfterMs?: number | undefined;
  /** `false`: the cookie has no `Max-Age`, so that it ends with the browser's session if that is before `ttlMs`. Default `true`. */
  readonly persistent?: boolean | undefined;
  /** Default `/`. */
  readonly path?: string | undefined;
  /** Default: the host alone that has set it. */
  readonly domain?: string | undefined;
  /** Default `true`: for HTTPS only. */
  readonly secure?: boolean | undefined;
  /** Default `true`: not for scripts. */
  readonly httpOnly?: boolean | undefined;
  /** `none` needs `secure`. Default `lax`. */
  readonly sameSite?: "strict" | "lax" | "none" | undefined;
  /** One for each site that embeds this one (CHIPS); needs `secure`. Default `false`. */
  readonly partitioned?: boolean | undefined;
  /** What becomes of a session whose backend takes no calls: it moves (default), waits for it, or fails. */
  readonly pinPolicy?: SessionAffinity["pinPolicy"] | undefined;
  /** By what strategies that hash choose the backend of a new session: `clientIpAffinity()`, say. Default: nothing. */
  readonly firstBy?: KeyAffinity | undefined;
  /** Verified cookies to remember, for each upstream; whole, ≥ 1. Default 10,000. */
  readonly cacheSize?: number | undefined;
}

/** With the defaults filled in. */
export type CookieSettings = Pick<CookieAffinityOptions, WithoutDefault> & {
  readonly [Key in Exclude<keyof CookieAffinityOptions, WithoutDefault>]-?: Exclude<
    CookieAffinityOptions[Key],
    undefined
  >;
};

type WithoutDefault = "name" | "domain" | "firstBy";

const DAY_MS = 86_400_000;
/** Source: draft-ietf-httpbis-rfc6265bis §5.5. */
export const LONGEST_TTL_MS: number = 400 * DAY_MS;
/** What may be left out, in the order of the options. */
const WANTED = {
  name: cookieName,
  ttlMs: expected.number({ min: 1_000, max: LONGEST_TTL_MS }),
  mode: expected.oneOf(["sliding", "fixed"]),
  refreshAfterMs: expected.number({ min: 0 }),
  persistent: expected.boolean,
  path: {
    description: "a path that begins with / and has no blanks or semicolons",
    accepts: (value: unknown): value is string => typeof value === "string" && /^\/[\x21-\x3a\x3c-\x7e]*$/.test(value),
  },
  domain: {
    description: "a host name without a dot in front",
    accepts: (value: unknown): value is string =>
      typeof value === "string" && /^[a-z\d](?:[a-z\d.-]*[a-z\d])?$/i.test(value),
  },
  secure: expected.boolean,
  httpOnly: expected.boolean,
  sameSite: expected.oneOf(["strict", "lax", "none"]),
  partitioned: expected.boolean,
  pinPolicy: expected.oneOf(["redistribute", "wait", "fail"]),
  firstBy: expected.having<KeyAffinity>("keyOf", "an affinity by key, such as clientIpAffinity()"),
  cacheSize: expected.integer({ min: 1 }),
} satisfies Record<string, Expected<unknown>>;

/** What makes a kind of cookie affinity of its own. */
export interface CookiePreset {
  readonly what: string;
  /** Options that are no longer the user's. */
  readonly decided: Partial<CookieAffinityOptions>;
  /** Options that others have not, or narrower bounds. */
  readonly wanted: Readonly<Record<string, Expected<unknown>>>;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems; no key is ever part of it
 */
export function resolveCookieOptions(preset: CookiePreset, given: CookieAffinityOptions): CookieSettings {
  const check = new OptionCheck();
  const wanted = Object.entries<Expected<unknown>>({ ...WANTED, ...preset.wanted }).filter(
    ([option]) => !(option in preset.decided),
  );
  const input = check.record("", given, ["keys", ...wanted.map(([option]) => option)]) ?? {};
  checkKeys(check, input["keys"]);
  for (const [option, wants] of wanted) check.optional(option, input[option], wants);
  const options = { ...given, ...preset.decided };
  if (check.count === 0) {
    checkAttributes(check, options);
    checkTimes(check, options);
  }
  check.throwIfAny(preset.what);
  const { keys, name, domain, firstBy, ttlMs = DAY_MS, mode = "sliding", refreshAfterMs = ttlMs / 10 } = options;
  const { persistent = true, path = "/", secure = true, httpOnly = true, sameSite = "lax" } = options;
  const { partitioned = false, pinPolicy = "redistribute", cacheSize = 10_000 } = options;
  const cookie = { name, path, domain, secure, httpOnly, sameSite, partitioned };
  return { ...cookie, keys, ttlMs, mode, refreshAfterMs, persistent, pinPolicy, firstBy, cacheSize };
}

function checkKeys(check: OptionCheck, keys: unknown): void {
  const list = check.required("keys", keys, someKeys) ?? [];
  for (const [index, key] of list.entries()) check.required(`keys[${index}]`, key, strongKey);
}

const someKeys: Expected<readonly unknown[]> = {
  description: "a list of at least one key",
  secret: true,
  accepts: (value: unknown): value is readonly unknown[] => Array.isArray(value) && value.length > 0,
};

/** A secret of the size of what is made from it. Few different bytes are a buffer that was never filled, or a placeholder. */
const strongKey: Expected<string | Uint8Array> = {
  description: "at least 32 random bytes, as a text or Uint8Array",
  secret: true,
  accepts: (value: unknown): value is string | Uint8Array => {
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    return bytes instanceof Uint8Array && bytes.length >= 32 && new Set(bytes).size >= 8;
  },
};

/** What browsers refuse. Source: draft-ietf-httpbis-rfc6265bis §4.1.3 (prefixes), §5.7 (SameSite); CHIPS. */
function checkAttributes(check: OptionCheck, options: CookieAffinityOptions): void {
  const { name = "", path = "/", domain, secure = true, sameSite, partitioned } = options;
  const prefix = /^__(?:host|secure)-/i.exec(name)?.[0].toLowerCase();
  if (!secure && (prefix !== undefined || sameSite === "none" || partitioned === true)) {
    check.problem("secure", secure, "true, with a __Host- or __Secure- name, sameSite none or partitioned");
  }
  if (prefix === "__host-" && path !== "/") check.problem("path", path, "/ with a __Host- name");
  if (prefix === "__host-" && domain !== undefined) check.problem("domain", domain, "none with a __Host- name");
}

function checkTimes(check: OptionCheck, { mode, refreshAfterMs, ttlMs = DAY_MS }: CookieAffinityOptions): void {
  if (refreshAfterMs === undefined) return;
  if (mode === "fixed") check.problem("refreshAfterMs", refreshAfterMs, "none with mode fixed");
  else if (refreshAfterMs >= ttlMs) check.problem("refreshAfterMs", refreshAfterMs, `less than ttlMs (${ttlMs})`);
}
