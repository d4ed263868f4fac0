import type { Affinity, Balancer, RouteMatch, Router, SessionAffinity } from "@fairlead/core";
import type { ClientInfo, ForwardOptions, Transport } from "../../src/index.ts";
import { createForward } from "../../src/index.ts";
import { forwardTransport, undiciTransport } from "../../src/undici/index.ts";

/** Every transport that a gateway in Node may have. */
export const transports: readonly (readonly [name: string, make: () => Transport | undefined])[] = [
  ["the platform's fetch", () => undefined],
  ["undiciTransport", () => undiciTransport()],
  ["forwardTransport", () => forwardTransport()],
];

export const CLIENT: ClientInfo = { ip: "192.0.2.7", protocol: "https" };
const ORIGIN = "http://shop.example.com";

type Send = (path: string, init?: RequestInit & { duplex?: "half" }, client?: ClientInfo) => Promise<Response>;

/** Forwards requests to `http://shop.example.com`, as `CLIENT` unless another is named. */
export function forwarding(balancer: Balancer | Router, options: ForwardOptions = {}): Send {
  const forward = createForward(balancer, { fetch: forwardTransport(), ...options });
  return (path, init, client = CLIENT) => forward(new Request(new URL(path, ORIGIN), init), client);
}

/** A router with one route: paths below `/shop`, which backends serve without it. */
export function shopRouter(
  balancer: Balancer,
  options: { readonly affinity?: Affinity; readonly match?: Partial<RouteMatch> } = {},
): Router {
  return {
    name: "edge",
    origin: "http://edge",
    balancers: [balancer],
    serves: () => true,
    route: ({ path, search }) =>
      path.startsWith("/shop/")
        ? {
            route: "shop",
            balancer,
            path: path.slice("/shop".length) + search,
            options: undefined,
            affinity: options.affinity,
            logicalPath: (own) => `/shop${own}`,
            call: (run, callOptions) => balancer.call(run, callOptions),
            ...options.match,
          }
        : undefined,
  };
}

/** The id of the backend in a cookie, as it is: enough to see what is asked and told. */
export function plainCookie(options: Partial<SessionAffinity> = {}): SessionAffinity {
  return {
    kind: "session",
    name: "plain",
    pinPolicy: "redistribute",
    find: (request) => /(?:^|; )seat=([^;]+)/.exec(request.header("cookie") ?? "")?.[1],
    keep: (_request, found, backend) => (found === backend.id ? undefined : `seat=${backend.id}; Path=/`),
    ...options,
  };
}
