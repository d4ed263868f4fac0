import { expected, type KeyAffinity, OptionCheck } from "@fairlead/core";
import { clientKey, parseIp } from "../forward/ip-address.ts";

export interface ClientIpAffinityOptions {
  /** Leading bits of an IPv6 address that make up a client; whole, 1…128. Default 64: what a site is given at least. */
  readonly ipv6Prefix?: number | undefined;
}

/**
 * By the address of the client, which only `createForward` knows, by its `trust`: IPv4 addresses whole, IPv6 addresses by
 * their network. Many clients behind one address (a company, a mobile network) go to one backend together; where that is
 * too much, use `cookieAffinity()`.
 *
 * Others say `balance source` (HAProxy), `ip_hash` (nginx), `hash_policy.connection_properties.source_ip` (Envoy).
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function clientIpAffinity(options: ClientIpAffinityOptions = {}): KeyAffinity {
  const check = new OptionCheck();
  const input = check.record("", options, ["ipv6Prefix"]) ?? {};
  const ipv6Prefix = check.optional("ipv6Prefix", input["ipv6Prefix"], expected.integer({ min: 1, max: 128 })) ?? 64;
  check.throwIfAny("clientIpAffinity");
  return {
    kind: "key",
    name: "client ip",
    keyOf: ({ clientIp }) => {
      const address = clientIp === undefined ? undefined : parseIp(clientIp);
      return address && clientKey(address, ipv6Prefix);
    },
  };
}
