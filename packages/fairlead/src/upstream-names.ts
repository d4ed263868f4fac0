import { type Balancer, named, type OptionCheck, type RouteOptions } from "@fairlead/core";
import { standIn } from "./stand-in.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Puts balancers where the routes of an app name upstreams by their keys. What else is wrong with them is left to `createRouter`. */
export class UpstreamNames {
  readonly #check: OptionCheck;
  readonly #upstreams: Readonly<Record<string, Balancer | undefined>>;

  /** @param upstreams those whose options are wrong are `undefined` */
  constructor(check: OptionCheck, upstreams: Readonly<Record<string, Balancer | undefined>>) {
    this.#check = check;
    this.#upstreams = upstreams;
  }

  inRoutes(routes: unknown): readonly RouteOptions[] | undefined {
    if (!Array.isArray(routes)) return routes as undefined;
    return routes.map((route: unknown, index) => this.#inRoute(`routes[${index}]`, route) as RouteOptions);
  }

  inDefault(key: unknown): Balancer | undefined {
    return key === undefined ? undefined : this.#balancer("default", key);
  }

  #inRoute(path: string, route: unknown): unknown {
    if (!isRecord(route)) return route;
    const { to, mirror } = route;
    const target: unknown = Array.isArray(to)
      ? to.map((share: unknown, index) => this.#inShare(`${path}.to[${index}]`, share))
      : this.#balancer(`${path}.to`, to);
    return { ...route, to: target, mirror: this.#inShare(`${path}.mirror`, mirror) };
  }

  #inShare(path: string, share: unknown): unknown {
    return isRecord(share) ? { ...share, to: this.#balancer(`${path}.to`, share["to"]) } : share;
  }

  #balancer(path: string, key: unknown): Balancer {
    const known = named(this.#check, path, key, Object.keys(this.#upstreams), "the key of an upstream");
    return (known === undefined ? undefined : this.#upstreams[known]) ?? standIn();
  }
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
