import type { Affinity } from "../affinity/affinity.ts";
import type { Balancer } from "../contract.ts";
import type { Random } from "../random.ts";
import type { ConditionOptions } from "./condition-options.ts";
import type { RouteLimitOptions } from "./route-limits.ts";
import type { RouteCallOptions } from "./router.ts";
import type { SplitBy } from "./split.ts";

/** A part of the requests of a route. */
export interface RouteShare<To = Balancer> {
  readonly to: To;
  /** 0 to 100, in steps of 0.01. */
  readonly percent: number;
}

/** Where a copy of some requests goes. */
export interface MirrorOptions<To = Balancer> extends RouteShare<To> {
  /** Mirrored calls under way; whole, ≥ 1. What would go beyond is not mirrored, and counted. Default 100. */
  readonly maxConcurrent?: number | undefined;
}

/** Which requests go where, and what holds for them. */
export interface RouteOptions<To = Balancer> extends ConditionOptions, RouteCallOptions {
  /** In errors, logs and snapshots; no two routes may share one. Default `route 1`, `route 2`… by its place in the list. */
  readonly name?: string | undefined;
  /** All of its requests, or shares of them that add up to 100 %. */
  readonly to: To | readonly RouteShare<To>[];
  /**
   * Requests for which it returns the same text get the same share, as long as the shares stay as they are; when the last
   * one grows, it takes only what it must. Default, and for `undefined`: by count.
   */
  readonly splitBy?: SplitBy | undefined;
  /** What the backend gets in place of the prefix in `path`: `/v1` with `/` makes `/x` of `/v1/x`. Default: as it is. */
  readonly rewritePath?: string | undefined;
  /** Makes a share of the calls a second time, for another balancer; nobody hears of it. Default: none. */
  readonly mirror?: MirrorOptions<To> | undefined;
  /** Keeps what belongs together on one backend: `headerAffinity("x-session")`, `cookieAffinity({ … })`. Default: the client's. */
  readonly affinity?: Affinity | undefined;
  readonly limits?: RouteLimitOptions | undefined;
}

/** Options of `createRouter`. */
export interface RouterOptions {
  /** In errors and snapshots. Default `router`. */
  readonly name?: string | undefined;
  /** The logical origin: what relative URLs are resolved against. Default `http://<name>`. */
  readonly origin?: string | undefined;
  /** The first whose conditions hold takes the request. */
  readonly routes?: readonly RouteOptions[] | undefined;
  /** Takes what no route takes. Default: nobody does, which is `FAIRLEAD_ERR_NO_ROUTE`. */
  readonly default?: Balancer | undefined;
  /** Draws which requests are split and mirrored. Default `createRandom()`. */
  readonly random?: Random | undefined;
}
