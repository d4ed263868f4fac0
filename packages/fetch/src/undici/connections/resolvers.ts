import { promises as dns } from "node:dns";
import { readFile } from "node:fs/promises";
import { platform } from "node:process";

/** The addresses of a host name. */
export interface Resolution {
  /** IPv4 and IPv6, the preferred ones first. */
  readonly addresses: readonly string[];
  /** Milliseconds for which they hold; it may be known later than they are. Default: unknown. */
  readonly ttlMs?: number | Promise<number | undefined> | undefined;
  /** `false`: there may be others, known before; none is taken for gone. Default `true`. */
  readonly complete?: boolean | undefined;
}

/** Finds the addresses of a host name; rejects if it can't. `signal` is aborted when nobody waits for them any more. */
export type ResolveName = (hostname: string, signal: AbortSignal) => Promise<Resolution>;

/** What the c-ares library of Node is told: an answer that takes longer says nothing in time. */
const QUERY_TIMEOUT_MS = 2_000;

/**
 * Finds addresses as everything else in this process does (`getaddrinfo`: hosts file, search domains, mDNS). That says
 * nothing of how long they hold, so DNS is asked for it as well; not for names in the hosts file nor for `localhost`, and
 * no second time for a name that DNS does not know in just this form.
 */
export function systemResolver(): ResolveName {
  const unknown = new Set<string>();
  return async (hostname, signal) => {
    const addresses = (await dns.lookup(hostname, { all: true })).map(({ address }) => address);
    const ttlMs = unknown.has(hostname) ? undefined : ttlOf(hostname, addresses, unknown, signal);
    return { addresses, ttlMs };
  };
}

/** Asks DNS servers, such as `["10.0.0.2", "10.0.0.3:5353"]`, and nobody else. Default: those of the system. */
export function dnsResolver(options: { readonly servers?: readonly string[] | undefined } = {}): ResolveName {
  const { servers } = options;
  return async (hostname, signal) => {
    const { records, failures } = await query(hostname, signal, servers);
    const [failure] = failures;
    if (records.length === 0 && failure !== undefined) throw failure;
    return {
      addresses: records.map(({ address }) => address),
      ttlMs: shortest(records),
      complete: failures.every(saysNone),
    };
  };
}

interface TimedRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

interface Answers {
  readonly records: readonly TimedRecord[];
  readonly failures: readonly NodeJS.ErrnoException[];
}

async function query(hostname: string, signal: AbortSignal, servers?: readonly string[]): Promise<Answers> {
  signal.throwIfAborted();
  const resolver = new dns.Resolver({ timeout: QUERY_TIMEOUT_MS, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  const cancel = (): void => resolver.cancel();
  signal.addEventListener("abort", cancel);
  const results = await Promise.allSettled([
    resolver.resolve6(hostname, { ttl: true }),
    resolver.resolve4(hostname, { ttl: true }),
  ]);
  signal.removeEventListener("abort", cancel);
  return {
    records: results.flatMap((result) => (result.status === "fulfilled" ? result.value : [])),
    failures: results.flatMap((result) => (result.status === "rejected" ? [result.reason] : [])),
  };
}

async function ttlOf(
  hostname: string,
  addresses: readonly string[],
  unknown: Set<string>,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (await isLocal(hostname)) return undefined;
  const { records, failures } = await query(hostname, signal);
  const known = records.filter(({ address }) => addresses.includes(address));
  // The name means something else to DNS, or nothing: search domains and other sources are at work.
  if (known.length === 0 && failures.every(saysNone)) unknown.add(hostname);
  return shortest(known);
}

function shortest(records: readonly TimedRecord[]): number | undefined {
  return records.length === 0 ? undefined : Math.min(...records.map(({ ttl }) => ttl)) * 1_000;
}

/** DNS has answered: there is no such name or record. */
function saysNone({ code }: NodeJS.ErrnoException): boolean {
  return code === dns.NODATA || code === dns.NOTFOUND;
}

const HOSTS_FILE = platform === "win32" ? "C:\\Windows\\System32\\drivers\\etc\\hosts" : "/etc/hosts";

/** Whether a name never leaves this machine (RFC 6761 §6.3; the hosts file). */
async function isLocal(hostname: string): Promise<boolean> {
  if (/(?:^|\.)localhost\.?$/i.test(hostname)) return true;
  const text = await readFile(HOSTS_FILE, "utf8").catch(() => "");
  const name = hostname.toLowerCase();
  return text.split("\n").some((line) => line.replace(/#.*/, "").toLowerCase().split(/\s+/).slice(1).includes(name));
}
