import type { DeriveOptions, RouteOptions, RouterOptions } from "@fairlead/core";
import type { ClientOptions } from "@fairlead/fetch";
import type { ClientSettings, FairleadOptions, WiredOptions } from "./wire.ts";

/** A service of its own. */
export interface OwnUpstreamOptions extends Omit<FairleadOptions, "name"> {
  /** In events, errors and metrics. Default: its key. */
  readonly name?: string | undefined;
}

/** Another way to call the backends of an upstream: it shares members, health, breakers, limits and connections. */
export interface DerivedUpstreamOptions<Name extends string = string> extends DeriveOptions, WiredOptions {
  /** The key of that upstream, which has backends of its own. */
  readonly from: Name;
}

export type UpstreamOptions<Name extends string = string> = OwnUpstreamOptions | DerivedUpstreamOptions<Name>;

/** Several upstreams, and which requests go to which. What holds for calls holds for those of the app's own clients. */
export interface FairleadAppOptions<Name extends string = string>
  extends ClientOptions,
    ClientSettings,
    Pick<RouterOptions, "name" | "origin" | "random"> {
  readonly upstreams: Readonly<Record<Name, UpstreamOptions<NoInfer<Name>>>>;
  /** As for `createRouter`; `to` and mirrors name upstreams by their keys. */
  readonly routes?: readonly RouteOptions<NoInfer<Name>>[] | undefined;
  /** The key of the upstream that takes what no route takes. Default: nobody does. */
  readonly default?: NoInfer<Name> | undefined;
}

/** Several upstreams, not one. */
export function isApp(options: FairleadOptions | FairleadAppOptions): options is FairleadAppOptions {
  return Object.hasOwn(Object(options), "upstreams");
}
