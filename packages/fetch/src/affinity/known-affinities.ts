import { expected, type SessionAffinity } from "@fairlead/core";
import { clientIpAffinity } from "./client-ip-affinity.ts";
import { presetAffinity } from "./cookie-affinity.ts";
import { type CookieAffinityOptions, LONGEST_TTL_MS } from "./cookie-options.ts";

const WEEK_MS = 604_800_000;

/** As of `cookieAffinity`; what a load balancer decides for its users is left out. */
export type AlbAffinityOptions = Omit<CookieAffinityOptions, "mode" | "refreshAfterMs" | "persistent">;

/**
 * Duration-based stickiness as of an AWS Application Load Balancer's target group: a day (`ttlMs` 1,000 to 604,800,000, default
 * 86,400,000) from the last response, each of which brings the cookie again. A session whose target is not healthy moves.
 *
 * Unlike `AWSALB`, the cookie is `Secure`, `HttpOnly` and `SameSite=Lax` unless told otherwise, and its name is ours: AWS
 * reserves its own. For what `AWSALBCORS` does say `sameSite: "none"`.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/sticky-sessions.html
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function albAffinity(options: AlbAffinityOptions): SessionAffinity {
  const decided = { mode: "sliding", refreshAfterMs: 0, persistent: true } as const;
  const wanted = { ttlMs: expected.number({ min: 1_000, max: WEEK_MS }) };
  return presetAffinity({ what: "albAffinity", decided, wanted }, options);
}

export interface CloudflareAffinityOptions
  extends Omit<CookieAffinityOptions, "mode" | "refreshAfterMs" | "persistent" | "firstBy"> {
  /** `ip_cookie`: strategies that hash choose the backend of a new session by the client's address. Default `cookie`. */
  readonly type?: "cookie" | "ip_cookie" | undefined;
}

/**
 * Session affinity as of a Cloudflare load balancer: a cookie that lives from the first response for `ttlMs`, 1,800,000 to
 * 604,800,000, default 1,800,000: the half hour that its setups mostly name; where none is named, Cloudflare takes 23 hours.
 * A session whose endpoint is not healthy moves. By header is `headerAffinity()`.
 *
 * @see https://developers.cloudflare.com/load-balancing/understand-basics/session-affinity/
 * @see https://developers.cloudflare.com/api/resources/load_balancers/ (`session_affinity_ttl`)
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function cloudflareAffinity(options: CloudflareAffinityOptions): SessionAffinity {
  const decided = {
    mode: "fixed",
    refreshAfterMs: undefined,
    persistent: true,
    firstBy: options.type === "ip_cookie" ? clientIpAffinity() : undefined,
  } as const;
  const wanted = {
    type: expected.oneOf(["cookie", "ip_cookie"]),
    ttlMs: expected.number({ min: 1_800_000, max: WEEK_MS }),
  };
  return presetAffinity(
    { what: "cloudflareAffinity", decided, wanted },
    { ...options, ttlMs: options.ttlMs ?? 1_800_000 },
  );
}

export interface YarpAffinityOptions
  extends Omit<CookieAffinityOptions, "mode" | "refreshAfterMs" | "persistent" | "pinPolicy" | "ttlMs"> {
  /** Default `Redistribute`; `Return503Error` is `pinPolicy: "fail"`. */
  readonly failurePolicy?: "Redistribute" | "Return503Error" | undefined;
  /** As `MaxAge` there. Default: the cookie ends with the browser's session, at the latest after 400 days. */
  readonly maxAgeMs?: number | undefined;
}

/**
 * Session affinity as of YARP's policy `Cookie`: the cookie comes with the first response of a session and is not renewed;
 * its name is `.Yarp.Affinity`, which must be another for each upstream of a host.
 *
 * Unlike there, the cookie is `Secure` and `SameSite=Lax` unless told otherwise; and a cookie that can't be read, or whose
 * backend has left, begins a new session under `Return503Error` too: repeating the request would never mend that.
 *
 * @see https://learn.microsoft.com/aspnet/core/fundamentals/servers/yarp/session-affinity
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function yarpAffinity(options: YarpAffinityOptions): SessionAffinity {
  const { failurePolicy, maxAgeMs } = options;
  const decided = {
    mode: "fixed",
    refreshAfterMs: undefined,
    ttlMs: maxAgeMs ?? LONGEST_TTL_MS,
    persistent: maxAgeMs !== undefined,
    pinPolicy: failurePolicy === "Return503Error" ? "fail" : "redistribute",
  } as const;
  const wanted = {
    failurePolicy: expected.oneOf(["Redistribute", "Return503Error"]),
    maxAgeMs: expected.number({ min: 1_000, max: LONGEST_TTL_MS }),
  };
  return presetAffinity(
    { what: "yarpAffinity", decided, wanted },
    { ...options, name: options.name ?? ".Yarp.Affinity" },
  );
}
