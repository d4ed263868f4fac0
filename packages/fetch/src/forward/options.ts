import {
  type Balancer,
  type Expected,
  expected,
  type OptionCheck,
  type SessionAffinity,
  type Target,
} from "@fairlead/core";
import { isRouter } from "../destination.ts";
import { type ClientOptions, checkClientOptions } from "../options.ts";
import type { ForwardOptions, TrustRule } from "./contract.ts";
import { parseNetwork } from "./ip-network.ts";

/** The headers by which platforms tell who the client is. */
export const CLIENT_HEADERS = ["cf-connecting-ip", "true-client-ip", "x-real-ip", "fly-client-ip"] as const;

const KEYS = [
  "accessLog",
  "fetch",
  "forwardedHeaders",
  "fromIncoming",
  "host",
  "maxConnectionsPerClient",
  "maxHeaderBytes",
  "maxHeaders",
  "onError",
  "requestIdHeader",
  "trust",
  "tunnelIdleTimeoutMs",
  "via",
] as const satisfies readonly (keyof ForwardOptions)[];

/** @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems */
export function checkForwardOptions(options: ForwardOptions): void {
  const { affinity, ...client } = options;
  const key = affinity?.kind === "session" ? undefined : affinity;
  checkClientOptions("createForward", { ...client, affinity: key }, KEYS, (check) => {
    if (affinity?.kind === "session") check.required("affinity", affinity, sessionAffinity);
    for (const name of ["accessLog", "fetch", "onError"] as const) check.optional(name, options[name], expected.func);
    const forms = ["x-forwarded", "forwarded", "both", "none"] as const;
    check.optional("forwardedHeaders", options.forwardedHeaders, expected.oneOf(forms));
    if (options.fromIncoming !== "trusted")
      check.optional("fromIncoming", options.fromIncoming, {
        ...expected.boolean,
        description: '"trusted", true or false',
      });
    check.optional("host", options.host, expected.oneOf(["backend", "client"]));
    for (const name of ["maxConnectionsPerClient", "maxHeaderBytes", "maxHeaders"] as const)
      check.optional(name, options[name], expected.integer({ min: 1 }));
    check.optional("tunnelIdleTimeoutMs", options.tunnelIdleTimeoutMs, expected.durationOrOff);
    for (const name of ["requestIdHeader", "via"] as const)
      if (options[name] !== false) check.optional(name, options[name], headerName);
    if (options.trust !== undefined) checkTrust(check, options.trust);
  });
}

/** Checks a rule as the option `trust`. */
export function checkTrust(check: OptionCheck, rule: TrustRule): void {
  const input = check.record("trust", rule, ["header", "hops", "proxies"]);
  if (input === undefined) return;
  if (Object.keys(input).length !== 1) check.problem("trust", rule, "either hops, proxies or header");
  check.optional("trust.hops", input["hops"], expected.integer({ min: 0 }));
  check.optional("trust.header", input["header"], expected.oneOf(CLIENT_HEADERS));
  const { proxies } = input;
  if (proxies === undefined) return;
  if (!Array.isArray(proxies)) check.problem("trust.proxies", proxies, "a list of addresses and CIDRs");
  else for (const [index, proxy] of proxies.entries()) check.required(`trust.proxies[${index}]`, proxy, network);
}

/** What of them holds for the calls; an affinity that hands out cookies is nothing to those. */
export function clientOptionsOf({ affinity, ...options }: ForwardOptions): ClientOptions {
  const client: Record<string, unknown> = { ...options, affinity: affinity?.kind === "key" ? affinity : undefined };
  for (const name of KEYS) delete client[name];
  return client;
}

/** A balancer of the target, if it has any. */
export function anyBalancerOf(target: Target): Balancer | undefined {
  return isRouter(target) ? target.balancers[0] : target;
}

const headerName: Expected<string> = {
  description: "false, or a name as headers have it",
  accepts: (value: unknown): value is string => typeof value === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(value),
};

const network: Expected<string> = {
  description: "an address or a CIDR, IPv4 or IPv6",
  accepts: (value: unknown): value is string => typeof value === "string" && parseNetwork(value) !== undefined,
};

const sessionAffinity: Expected<SessionAffinity> = expected.having("find", "an affinity such as cookieAffinity({ … })");
