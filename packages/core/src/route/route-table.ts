import type { Balancer } from "../contract.ts";
import type { Random } from "../random.ts";
import { readPath } from "./path.ts";
import { WHOLE } from "./portion.ts";
import type { RoutableRequest } from "./routable.ts";
import { Route } from "./route.ts";
import type { RouteSettings } from "./route-settings.ts";
import type { RouteExplanation, RouteMatch, Router, RouterSnapshot, RouteSnapshot } from "./router.ts";

/** Routes in their order; the first that takes a request has it. */
export class RouteTable implements Router {
  readonly name: string;
  readonly origin: string;
  readonly balancers: readonly Balancer[];
  readonly #routes: readonly Route[];
  #unmatched = 0;

  /** @param routes each with a share at least */
  constructor(name: string, origin: string, routes: readonly RouteSettings[], random: Random) {
    this.name = name;
    this.origin = origin;
    this.#routes = routes.flatMap((settings) =>
      settings.shares.slice(0, 1).map(({ to }) => new Route(settings, to, random)),
    );
    this.balancers = [...new Set(this.#routes.flatMap((route) => route.balancers))];
  }

  serves(origin: string): boolean {
    if (origin === this.origin) return true;
    const host = /^https?:\/\/(.+)$/.exec(origin)?.[1];
    return host !== undefined && this.#routes.some(({ conditions }) => conditions.names(host));
  }

  route(request: RoutableRequest): RouteMatch | undefined {
    const path = readPath(request.path);
    for (const route of this.#routes) if (route.takes(request, path)) return route.match(request, path);
    this.#unmatched++;
    return undefined;
  }

  explain(request: RoutableRequest): RouteExplanation {
    const path = readPath(request.path);
    const passed: { readonly route: string; readonly because: string }[] = [];
    for (const route of this.#routes) {
      const { conditions, name, split } = route;
      const because = conditions.refusal(request, path.text, () => {});
      if (because === undefined) {
        const sent = route.pathFor(request, path, conditions.prefixOf(path.text) ?? "");
        return { route: name, upstream: split.peek(request)?.name ?? null, path: sent, passed };
      }
      passed.push({ route: name, because });
    }
    return { route: null, upstream: null, path: null, passed };
  }

  snapshot(): RouterSnapshot {
    return {
      name: this.name,
      origin: this.origin,
      routes: this.#routes.map(snapshotOf),
      unmatched: this.#unmatched,
    };
  }
}

function snapshotOf({ name, matched, split, mirror, limits }: Route): RouteSnapshot {
  return {
    route: name,
    matched,
    shares: split.shares.map(({ to, parts }, index) => ({
      upstream: to.name,
      percent: (parts * 100) / WHOLE,
      requests: split.counts[index] ?? 0,
    })),
    underWay: limits?.places?.taken ?? null,
    shed: { concurrency: limits?.shed.concurrency ?? 0, rate: limits?.shed.rate ?? 0 },
    mirror: mirror
      ? {
          upstream: mirror.to.name,
          mirrored: mirror.mirrored,
          dropped: mirror.dropped,
          underWay: mirror.places.taken,
        }
      : null,
  };
}
