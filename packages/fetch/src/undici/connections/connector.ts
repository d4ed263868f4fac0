import { isIP } from "node:net";
import type { Balancer } from "@fairlead/core";
import { buildConnector } from "undici";
import type { Route } from "../route.ts";
import { tlsOptionsOf } from "../tls.ts";
import { Addresses, type AddressListener } from "./addresses.ts";
import type { PoolOptions } from "./pool-options.ts";

/** RFC 8305 §5: how long one address is waited for until the next one is tried, in milliseconds. */
const NEXT_ADDRESS_AFTER_MS = 250;

/** Makes the sockets to one backend. */
export interface Connector {
  readonly connect: buildConnector.connector;
  /** Of a backend named by host name. */
  readonly addresses: Addresses | undefined;
}

export function connectorTo(
  route: Route,
  balancer: Balancer,
  options: PoolOptions,
  listener: AddressListener,
): Connector {
  const { connect: own, connectTimeout, maxCachedSessions, socketPath, allowH2 } = options;
  if (typeof own === "function") return { connect: own, addresses: undefined };
  const addresses = addressesOf(route, balancer, options, listener);
  const { connectTimeoutMs } = balancer.settings;
  const socketOptions = {
    allowH2,
    maxCachedSessions,
    socketPath,
    useH2c: speaksH2c(options),
    timeout: connectTimeout ?? (connectTimeoutMs === false ? 0 : connectTimeoutMs),
    autoSelectFamily: options.autoSelectFamily ?? true,
    autoSelectFamilyAttemptTimeout: options.autoSelectFamilyAttemptTimeout ?? NEXT_ADDRESS_AFTER_MS,
    ...(addresses === undefined ? undefined : { lookup: addresses.lookup }),
    ...tlsOptionsOf(route),
    ...own,
  };
  return { connect: buildConnector(socketOptions as buildConnector.BuildOptions), addresses };
}

/** HTTP/2 without TLS, where both sides know of it. */
export function speaksH2c({ h2Options, useH2c }: PoolOptions & { readonly useH2c?: boolean }): boolean {
  return h2Options?.useH2c ?? useH2c ?? false;
}

function addressesOf(
  { origin }: Route,
  { clock }: Balancer,
  { names, connect, socketPath }: PoolOptions,
  listener: AddressListener,
): Addresses | undefined {
  const hostname = new URL(origin).hostname.replace(/^\[|\]$/g, "");
  const isFound = names === false || socketPath !== undefined || (typeof connect === "object" && "lookup" in connect);
  return isFound || isIP(hostname) !== 0 ? undefined : new Addresses(hostname, names ?? {}, clock, listener);
}
