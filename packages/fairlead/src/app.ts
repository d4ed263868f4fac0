import {
  type Balancer,
  createRouter,
  type Expected,
  OptionCheck,
  type ReadyOptions,
  type Router,
  within,
} from "@fairlead/core";
import { checkClientOptions } from "@fairlead/fetch";
import type { FairleadAppOptions, UpstreamOptions } from "./app-options.ts";
import { withLazy } from "./lazy.ts";
import { UpstreamNames } from "./upstream-names.ts";
import { makeUpstreams } from "./upstreams.ts";
import { type ClientMakers, type ClientSettings, checkSettings } from "./wire.ts";

/** Upstreams and the router over them, without clients. All of it ends with `close()`. */
export interface App<Name extends string, C extends object> extends AsyncDisposable {
  /** By key; each is a balancer with clients of its own. */
  readonly upstreams: Readonly<Record<Name, Balancer & C>>;
  readonly router: Router;
  /** Resolves when every upstream has its first complete set. Rejects after `timeoutMs` (default 10,000) or when closed. */
  ready(options?: ReadyOptions): Promise<void>;
  /** Closes every upstream, all at the same time; see `Balancer.close`. */
  close(options?: { readonly drainMs?: number | undefined }): Promise<void>;
}

const OWN_KEYS = ["name", "origin", "random", "upstreams", "routes", "default", "fetch", "forward", "hooks"];

/** Where a browser lacks the symbol, what compilers put in its place. */
const ASYNC_DISPOSE: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");

/**
 * An app over several upstreams with the clients of one build, all wired.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function wireApp<Name extends string, C extends object>(
  options: FairleadAppOptions<Name>,
  makersOf: ClientMakers<C>,
): App<Name, C> & C {
  const check = new OptionCheck();
  const {
    name,
    origin,
    random,
    upstreams: given,
    routes,
    default: otherwise,
    fetch,
    forward,
    hooks,
    ...calls
  } = options;
  const settings: ClientSettings = { fetch, forward, hooks };
  within(check, "", () => checkClientOptions("fairlead", options, OWN_KEYS));
  checkSettings(check, settings);
  const wanted = check.required("upstreams", given, upstreamRecord) ?? {};
  const upstreams = makeUpstreams(check, wanted, fetch, makersOf);
  const names = new UpstreamNames(check, upstreams);
  const router = within(check, "", () =>
    createRouter({ name, origin, random, routes: names.inRoutes(routes), default: names.inDefault(otherwise) }),
  ) as Router;
  if (check.count > 0) for (const upstream of Object.values(upstreams)) upstream?.close().catch(() => {});
  check.throwIfAny("fairlead");
  const app = new UpstreamApp(upstreams as Record<Name, Balancer & C>, router);
  return withLazy(app, makersOf(router, calls, settings));
}

const upstreamRecord: Expected<Readonly<Record<string, UpstreamOptions>>> = {
  description: "an object of upstreams by their keys, at least one",
  accepts: (value: unknown): value is Readonly<Record<string, UpstreamOptions>> =>
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0,
};

class UpstreamApp<Name extends string, C extends object> implements App<Name, C> {
  readonly upstreams: Readonly<Record<Name, Balancer & C>>;
  readonly router: Router;

  constructor(upstreams: Readonly<Record<Name, Balancer & C>>, router: Router) {
    this.upstreams = upstreams;
    this.router = router;
  }

  async ready(options?: ReadyOptions): Promise<void> {
    await Promise.all(this.#balancers.map((balancer) => balancer.ready(options)));
  }

  async close(options?: { readonly drainMs?: number | undefined }): Promise<void> {
    await Promise.all(this.#balancers.map((balancer) => balancer.close(options)));
  }

  [ASYNC_DISPOSE](): Promise<void> {
    return this.close();
  }

  get #balancers(): readonly Balancer[] {
    return Object.values<Balancer>(this.upstreams);
  }
}
