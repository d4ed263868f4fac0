import type { Backend, Balancer, BalancerEvents, RoutableRequest } from "@fairlead/core";
import { defaultCookieName } from "./cookie-name.ts";
import type { CookieSettings } from "./cookie-options.ts";
import { cookieValueAt, nextCookie } from "./cookies.ts";
import type { KeyRing } from "./key-ring.ts";
import { RecentEntries } from "./recent-entries.ts";
import { openSession, type Session, sealSession } from "./sealed-session.ts";

/** Cookies of the name that are looked at: a browser sends one for each path and domain, an attacker hundreds. */
const LOOKED_AT = 4;
/**
 * Making a cookie costs most, so sessions are handed the last one of their backend if it is no older than this share of
 * `ttlMs`, by which they are shorter then.
 */
const SHARED_FOR = 0.01;

type Because = Parameters<BalancerEvents["affinityIgnored"]>[0]["because"];

/** The sessions of one upstream. It keeps none: they are in the cookies; only what it has verified and made lately. */
export class CookieSessions {
  readonly #affinity: string;
  readonly #name: string;
  readonly #scope: string;
  readonly #settings: CookieSettings;
  readonly #ring: KeyRing;
  readonly #attributes: string;
  /** By the text of the cookie. */
  readonly #verified: RecentEntries<Session>;
  /** The last one made, by backend. */
  readonly #issued: RecentEntries<Session>;

  constructor(affinity: string, upstream: string, settings: CookieSettings, ring: KeyRing) {
    this.#affinity = affinity;
    this.#name = settings.name ?? defaultCookieName(upstream);
    // A name has no line breaks.
    this.#scope = `${this.#name}\n${upstream}`;
    this.#settings = settings;
    this.#ring = ring;
    this.#attributes = attributesOf(settings);
    this.#verified = new RecentEntries(settings.cacheSize);
    this.#issued = new RecentEntries(settings.cacheSize);
  }

  /** See `SessionAffinity.find`. At once if the cookie is known. */
  find(request: RoutableRequest, balancer: Balancer): string | undefined | Promise<string | undefined> {
    const field = request.header("cookie");
    const at = field === undefined ? -1 : nextCookie(field, this.#name);
    if (field === undefined || at < 0) return undefined;
    const session = this.#verified.get(cookieValueAt(field, at));
    if (session !== undefined && this.#whyNot(session, balancer) === undefined) return session.backend;
    return this.#search(field, at, balancer);
  }

  /** The first cookie that holds good counts. */
  async #search(field: string, first: number, balancer: Balancer): Promise<string | undefined> {
    let at = first;
    for (let looked = 0; at >= 0 && looked < LOOKED_AT; looked++) {
      const session = await this.#open(cookieValueAt(field, at));
      const because = typeof session === "string" ? session : this.#whyNot(session, balancer);
      if (typeof session !== "string" && because === undefined) return session.backend;
      this.#ignored(because, balancer);
      at = nextCookie(field, this.#name, at);
    }
    return undefined;
  }

  async #open(text: string): Promise<Session | Because> {
    const known = this.#verified.get(text);
    if (known !== undefined) return known;
    const session = await openSession(text, this.#scope, this.#ring);
    if (typeof session !== "string") this.#verified.set(session.text, session);
    return session;
  }

  #whyNot({ backend, issuedAt }: Session, balancer: Balancer): Because | undefined {
    // The clocks of processes differ: one from the near future is as good.
    if (Math.abs(balancer.clock.wallNow() - issuedAt) >= this.#settings.ttlMs) return "expired";
    return balancer.backend(backend) === undefined ? "backend-gone" : undefined;
  }

  #ignored(because: Because | undefined, balancer: Balancer): void {
    if (because === undefined) return;
    balancer.announce("affinityIgnored", () => ({ upstream: balancer.name, affinity: this.#affinity, because }));
  }

  /** See `SessionAffinity.keep`. At once unless a cookie has to be made. */
  keep(
    request: RoutableRequest,
    found: string | undefined,
    backend: Backend,
    balancer: Balancer,
  ): string | undefined | Promise<string | undefined> {
    const { id } = backend;
    // The answer of a fallback, or of a backend that has left meanwhile: no session can live there.
    if (balancer.backend(id) !== backend) return undefined;
    const nowMs = balancer.clock.wallNow();
    if (found === id && !this.#wantsRenewal(request, id, nowMs)) return undefined;
    const issued = this.#issued.get(id);
    const isNew = issued !== undefined && Math.abs(nowMs - issued.issuedAt) < this.#settings.ttlMs * SHARED_FOR;
    return isNew ? this.#fieldOf(issued, nowMs) : this.#issue(id, nowMs);
  }

  #wantsRenewal(request: RoutableRequest, backend: string, nowMs: number): boolean {
    const { mode, refreshAfterMs } = this.#settings;
    if (mode === "fixed") return false;
    const session = refreshAfterMs === 0 ? undefined : this.#broughtBy(request, backend);
    return session === undefined || nowMs - session.issuedAt >= refreshAfterMs;
  }

  /** The session that a request has brought, as it was verified; `undefined` also if that is no longer known. */
  #broughtBy(request: RoutableRequest, backend: string): Session | undefined {
    const field = request.header("cookie") ?? "";
    let at = nextCookie(field, this.#name);
    for (let looked = 0; at >= 0 && looked < LOOKED_AT; looked++) {
      const session = this.#verified.get(cookieValueAt(field, at));
      if (session?.backend === backend) return session;
      at = nextCookie(field, this.#name, at);
    }
    return undefined;
  }

  async #issue(backend: string, nowMs: number): Promise<string> {
    const issued = await sealSession(backend, nowMs, this.#scope, this.#ring);
    this.#issued.set(backend, issued);
    this.#verified.set(issued.text, issued);
    return this.#fieldOf(issued, nowMs);
  }

  #fieldOf({ text, issuedAt }: Session, nowMs: number): string {
    const { persistent, ttlMs } = this.#settings;
    const maxAge = persistent ? `; Max-Age=${Math.ceil((issuedAt + ttlMs - nowMs) / 1_000)}` : "";
    return `${this.#name}=${text}${maxAge}${this.#attributes}`;
  }
}

/** Source: RFC 6265 §4.1.1; draft-ietf-httpbis-rfc6265bis; CHIPS. */
function attributesOf({ path, domain, secure, httpOnly, sameSite, partitioned }: CookieSettings): string {
  return [
    `; Path=${path}`,
    domain === undefined ? "" : `; Domain=${domain}`,
    secure ? "; Secure" : "",
    httpOnly ? "; HttpOnly" : "",
    `; SameSite=${sameSite[0]?.toUpperCase()}${sameSite.slice(1)}`,
    partitioned ? "; Partitioned" : "",
  ].join("");
}
