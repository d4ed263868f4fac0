import type { Balancer, SessionAffinity } from "@fairlead/core";
import { type CookieAffinityOptions, type CookiePreset, resolveCookieOptions } from "./cookie-options.ts";
import { CookieSessions } from "./cookie-sessions.ts";
import { KeyRing } from "./key-ring.ts";

/**
 * Keeps a client on its backend by a cookie that says, encrypted and signed, where its session lives. Nothing is kept
 * about sessions here: any process with the same keys knows them. A cookie that is forged, malformed, expired, made with
 * an unknown key or for a backend that has left is ignored, and `affinityIgnored` tells. For `createForward`.
 *
 * A cookie decides where a request goes, not what it may do: it is no login, and clients of one backend may have the same.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function cookieAffinity(options: CookieAffinityOptions): SessionAffinity {
  return presetAffinity({ what: "cookieAffinity", decided: {}, wanted: {} }, options);
}

/** @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems */
export function presetAffinity(preset: CookiePreset, options: CookieAffinityOptions): SessionAffinity {
  const settings = resolveCookieOptions(preset, options);
  const { firstBy } = settings;
  const ring = new KeyRing(settings.keys);
  const name = settings.name === undefined ? "cookie" : `cookie ${settings.name}`;
  const key = Symbol(name);
  const of = (balancer: Balancer): CookieSessions =>
    balancer.shared(key, () => new CookieSessions(name, balancer.name, settings, ring));
  return {
    kind: "session",
    name,
    pinPolicy: settings.pinPolicy,
    keyOf: firstBy && ((request) => firstBy.keyOf(request)),
    find: (request, balancer) => of(balancer).find(request, balancer),
    keep: (request, found, backend, balancer) => of(balancer).keep(request, found, backend, balancer),
  };
}
