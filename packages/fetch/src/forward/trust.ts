import type { ClientInfo, TrustRule } from "./contract.ts";
import { parseForwarded } from "./forwarded.ts";
import { clientKey, type IpAddress, ipText, parseIp, parseNode } from "./ip-address.ts";
import { contains, type IpNetwork, parseNetwork } from "./ip-network.ts";

/** What is known of the client of a request, and by whom. */
export interface Client {
  /** `undefined`: nobody has said who it is. */
  readonly ip: string | undefined;
  /** What limits count by: the IPv4 address or the IPv6 /64. */
  readonly key: string | undefined;
  /** The addresses that the request has come from: the client's, then those of the proxies before us. */
  readonly path: readonly string[];
  /** Whether the peer is one of our proxies, so that its other words count as well. */
  readonly trusted: boolean;
  /** What the client has asked for, in the words of our proxies. */
  readonly said: { readonly proto?: string | undefined; readonly host?: string | undefined };
}

type ReadHeader = (name: string) => string | null;

/** Whether the proxy at `address`, `index` steps from us, is one of ours. */
type Trusts = (index: number, address: IpAddress | undefined) => boolean;

const NOTHING_SAID = {};

/** Finds out who has sent a request. `rule` is checked. */
export class Trust {
  readonly #header: string | undefined;
  readonly #trusts: Trusts | undefined;

  constructor(rule: TrustRule | undefined) {
    this.#header = rule !== undefined && "header" in rule ? rule.header : undefined;
    this.#trusts = trustsBy(rule);
  }

  /** The header that names the client, if one does. */
  get header(): string | undefined {
    return this.#header;
  }

  /**
   * The walk goes from us to the client, as long as each address is one of our proxies. What is no address ends it: the last
   * one that was counts.
   */
  clientOf({ ip }: ClientInfo, read: ReadHeader): Client {
    const peer = ip === undefined ? undefined : parseIp(ip);
    if (this.#header !== undefined) return named(parseIp(read(this.#header)?.trim() ?? ""), peer);
    const trusts = this.#trusts;
    if (trusts?.(0, peer) !== true) return clientAt(peer === undefined ? [] : [peer], false, NOTHING_SAID);
    const claims = claimsOf(read);
    const path = peer === undefined ? [] : [peer];
    for (let index = 1; index <= claims.length; index++) {
      const address = parseNode(claims[claims.length - index] ?? "");
      if (address === undefined) break;
      path.unshift(address);
      if (!trusts(index, address)) break;
    }
    return clientAt(path, true, askedOf(read, path.length - (peer === undefined ? 0 : 1)));
  }
}

function trustsBy(rule: TrustRule | undefined): Trusts | undefined {
  if (rule === undefined || "header" in rule) return undefined;
  if ("hops" in rule) return (index) => index < rule.hops;
  const networks = rule.proxies.map(parseNetwork).filter((network): network is IpNetwork => network !== undefined);
  return (_index, address) => address !== undefined && networks.some((network) => contains(network, address));
}

/** A platform says who it is; where it does not, its own address is all there is. */
function named(client: IpAddress | undefined, peer: IpAddress | undefined): Client {
  const path = [client, peer].filter((address) => address !== undefined);
  const isPeer = client !== undefined && peer !== undefined && ipText(client) === ipText(peer);
  return clientAt(isPeer ? [peer] : path, false, NOTHING_SAID);
}

function clientAt(path: readonly IpAddress[], trusted: boolean, said: Client["said"]): Client {
  const [client] = path;
  return {
    ip: client === undefined ? undefined : ipText(client),
    key: client === undefined ? undefined : clientKey(client),
    path: path.map(ipText),
    trusted,
    said,
  };
}

/** Whom proxies have had the request from, the client first. */
function claimsOf(read: ReadHeader): readonly string[] {
  const listed = read("x-forwarded-for");
  if (listed !== null) return listed.split(",").map((text) => text.trim());
  return parseForwarded(read("forwarded") ?? "")?.map((element) => element.for ?? "") ?? [];
}

/** @param steps how many of the claims count */
function askedOf(read: ReadHeader, steps: number): Client["said"] {
  const elements = read("x-forwarded-for") === null ? parseForwarded(read("forwarded") ?? "") : undefined;
  const first = elements?.[elements.length - steps];
  return {
    proto: schemeOf(lastOf(read("x-forwarded-proto")) ?? first?.proto),
    host: hostOf(lastOf(read("x-forwarded-host")) ?? first?.host),
  };
}

/** Where several have written, the peer was the last. */
function lastOf(list: string | null): string | undefined {
  return list?.slice(list.lastIndexOf(",") + 1).trim();
}

function schemeOf(text: string | undefined): string | undefined {
  const scheme = text?.toLowerCase();
  return scheme === "http" || scheme === "https" ? scheme : undefined;
}

/** A host as a URL has it, or nothing. */
function hostOf(text: string | undefined): string | undefined {
  return text !== undefined && /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(text) ? text.toLowerCase() : undefined;
}
