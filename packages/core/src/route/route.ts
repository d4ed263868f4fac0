import type { Affinity } from "../affinity/affinity.ts";
import type { Attempt, CallOptions } from "../call/attempt.ts";
import type { Balancer } from "../contract.ts";
import type { Random } from "../random.ts";
import { Conditions } from "./conditions.ts";
import { Mirror } from "./mirror.ts";
import type { PathReading } from "./path.ts";
import { Portion } from "./portion.ts";
import { Rewriting } from "./rewriting.ts";
import type { RoutableRequest } from "./routable.ts";
import { RouteLimits } from "./route-limits.ts";
import type { RouteSettings } from "./route-settings.ts";
import type { RouteCallOptions, RouteMatch } from "./router.ts";
import { type Share, Split } from "./split.ts";

/** One route: which requests it takes, where they go, and what holds for their calls. */
export class Route {
  readonly name: string;
  readonly conditions: Conditions;
  readonly calls: RouteCallOptions | undefined;
  readonly affinity: Affinity | undefined;
  readonly split: Split;
  readonly mirror: Mirror | undefined;
  readonly limits: RouteLimits | undefined;
  readonly rewriting: Rewriting | undefined;
  matched = 0;
  readonly #failed: (where: string, error: unknown) => void;

  constructor(settings: RouteSettings, random: Random) {
    const { name, conditions, shares, splitBy, rewritePath, mirror, limits } = settings;
    // What has to be announced or counted of a route, its first balancer does.
    const first = shares[0].to;
    this.name = name;
    this.calls = settings.calls;
    this.affinity = settings.affinity;
    this.conditions = new Conditions(conditions);
    this.#failed = (where, error) =>
      first.announce("callbackFailed", () => ({ upstream: first.name, where: `route ${name}: ${where}`, error }));
    this.split = new Split(shares, splitBy, random, this.#failed);
    this.rewriting = rewritePath === undefined ? undefined : new Rewriting(rewritePath);
    this.mirror = mirror && new Mirror(mirror.to, new Portion(mirror.parts, random), mirror.maxConcurrent);
    this.limits = limits && new RouteLimits(name, first, targetsOf(shares), limits, this.#failed);
  }

  get balancers(): readonly Balancer[] {
    const targets = targetsOf(this.split.shares);
    return this.mirror === undefined ? targets : [...targets, this.mirror.to];
  }

  takes(request: RoutableRequest, path: PathReading): boolean {
    return this.conditions.refusal(request, path.text, this.#failed) === undefined;
  }

  match(request: RoutableRequest, path: PathReading): RouteMatch {
    this.matched++;
    // Only a path that is rewritten needs to know.
    const prefix = this.rewriting === undefined ? "" : (this.conditions.prefixOf(path.text) ?? "");
    return new Match(this, this.split.choose(request), this.pathFor(request, path, prefix), prefix);
  }

  /** Path and query for the backend. */
  pathFor({ search }: RoutableRequest, path: PathReading, prefix: string): string {
    return (this.rewriting?.apply(path, prefix) ?? path.sent) + search;
  }

  call<T>(
    balancer: Balancer,
    run: (attempt: Attempt) => Promise<T>,
    options: CallOptions<T>,
    mirrored: (attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const { limits, mirror } = this;
    const both = mirror === undefined ? run : mirror.beside(run, mirrored, options);
    return limits === undefined ? balancer.call(both, options) : limits.call(balancer, both, options);
  }
}

function targetsOf(shares: readonly Share[]): readonly Balancer[] {
  return shares.map(({ to }) => to);
}

const NO_OPTIONS: CallOptions<unknown> = {};

class Match implements RouteMatch {
  readonly balancer: Balancer;
  readonly path: string;
  readonly #route: Route;
  /** What of the request's path a rewriting replaces. */
  readonly #prefix: string;

  constructor(route: Route, balancer: Balancer, path: string, prefix: string) {
    this.#route = route;
    this.balancer = balancer;
    this.path = path;
    this.#prefix = prefix;
  }

  get route(): string {
    return this.#route.name;
  }

  get options(): RouteCallOptions | undefined {
    return this.#route.calls;
  }

  get affinity(): Affinity | undefined {
    return this.#route.affinity;
  }

  logicalPath(path: string): string {
    return this.#route.rewriting?.undo(path, this.#prefix) ?? path;
  }

  call<T>(
    run: (attempt: Attempt) => Promise<T>,
    options: CallOptions<T> = NO_OPTIONS,
    mirror: (attempt: Attempt) => Promise<T> = run,
  ): Promise<T> {
    return this.#route.call(this.balancer, run, options, mirror);
  }
}
