import { resolveOrigin } from "../balancer-options.ts";
import type { Balancer } from "../contract.ts";
import { expected, OptionCheck } from "../options.ts";
import { createRandom, type Random } from "../random.ts";
import { WHOLE } from "./portion.ts";
import type { RouterOptions } from "./route-options.ts";
import { balancerValue, type RouteSettings, resolveRoute } from "./route-settings.ts";
import { RouteTable } from "./route-table.ts";
import type { Router } from "./router.ts";

const KEYS: readonly (keyof RouterOptions)[] = ["name", "origin", "routes", "default", "random"];

/** The name of the route that takes what no other takes. */
const DEFAULT = "default";

/**
 * Makes a router: it decides for each request to which balancer it goes, and under which conditions. It owns nothing and
 * need not be closed.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function createRouter(options: RouterOptions): Router {
  const check = new OptionCheck();
  const input = check.record("", options, KEYS) ?? {};
  const name = check.optional("name", input["name"], expected.text) ?? "router";
  const origin = resolveOrigin(check, name, input["origin"]);
  const wanted = expected.having<Random>("next", "a generator, such as createRandom(seed)");
  const random = check.optional("random", input["random"], wanted) ?? createRandom();
  const routes = resolveRoutes(check, input);
  check.throwIfAny(name === "router" ? "createRouter" : `createRouter ${JSON.stringify(name)}`);
  return new RouteTable(name, origin, routes, random);
}

function resolveRoutes(check: OptionCheck, input: Record<string, unknown>): readonly RouteSettings[] {
  const { routes = [], default: otherwise } = input;
  if (!Array.isArray(routes)) check.problem("routes", routes, "a list of routes");
  const listed: readonly unknown[] = Array.isArray(routes) ? routes : [];
  const to = check.optional("default", otherwise, balancerValue);
  if (Array.isArray(routes) && routes.length === 0 && otherwise === undefined)
    check.problem("routes", routes, "at least one route, or a `default`");
  const resolved = listed.flatMap(
    (route, index) => resolveRoute(check, `routes[${index}]`, route, `route ${index + 1}`) ?? [],
  );
  if (to !== undefined) resolved.push(allTo(to));
  refuseTwins(check, resolved);
  return resolved;
}

function allTo(to: Balancer): RouteSettings {
  return {
    name: DEFAULT,
    conditions: {},
    shares: [{ to, parts: WHOLE }],
    splitBy: undefined,
    rewritePath: undefined,
    mirror: undefined,
    affinity: undefined,
    limits: undefined,
    calls: undefined,
  };
}

function refuseTwins(check: OptionCheck, routes: readonly RouteSettings[]): void {
  const names = new Set<string>();
  for (const { name } of routes) {
    if (names.has(name)) check.problem("routes", name, "names of which no two routes share one");
    names.add(name);
  }
}
