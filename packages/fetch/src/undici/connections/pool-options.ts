import { type Expected, expected, OptionCheck, type Random } from "@fairlead/core";
import type { buildConnector, Pool } from "undici";
import type { ResolveName } from "./resolvers.ts";

/** How the addresses of a host name are found, and for how long they hold. */
export interface NameOptions {
  /** Who knows the addresses. Default `systemResolver()`; `dnsResolver({ servers })` asks certain servers. */
  readonly resolve?: ResolveName | undefined;
  /** Milliseconds for which addresses hold when nobody says for how long. Above 0. Default 30,000. */
  readonly defaultTtlMs?: number | undefined;
  /** The shortest time in milliseconds for which addresses hold, whatever DNS says. Above 0. Default 1,000. */
  readonly minTtlMs?: number | undefined;
  /** The longest time in milliseconds for which addresses hold, whatever DNS says. Above 0. Default 300,000. */
  readonly maxTtlMs?: number | undefined;
}

type Connect = Partial<buildConnector.BuildOptions> | buildConnector.connector;

/**
 * The connections to each backend. Everything that undici's `Client` takes (up to what sets up HTTP/2) keeps undici's name
 * and meaning; the rest is ours.
 */
export interface PoolOptions extends Omit<Pool.Options, "factory" | "clientTtl" | "connections" | "connect"> {
  /**
   * Connections to one backend at once: whole, ≥ 1. Requests beyond what they can carry wait in line, first come, first
   * served, until their attempt's timeout. Default: any number.
   */
  readonly connections?: number | null | undefined;
  /**
   * How a socket is made: options of `net.connect` and `tls.connect`, which go before a backend's `tls`, or undici's
   * connector; a connector finds addresses by itself.
   */
  readonly connect?: Connect | undefined;
  /**
   * Milliseconds after which a connection takes no new request and closes when it is idle, give or take 10 %. `false`: as
   * long as it lasts. Default 300,000.
   */
  readonly maxConnectionAgeMs?: number | false | undefined;
  /** `false`: names are left to Node, which asks at each connection and never looks again. */
  readonly names?: false | NameOptions | undefined;
  /** Spreads the ages of connections. Default: a generator of its own. */
  readonly random?: Random | undefined;
}

/** Options of undici's `Client` whose values undici checks, when the first connection is made. */
const UNDICIS_KEYS = [
  "maxHeaderSize",
  "headersTimeout",
  "bodyTimeout",
  "connectTimeout",
  "socketPath",
  "tls",
  "strictContentLength",
  "maxCachedSessions",
  "localAddress",
  "maxResponseSize",
  "autoSelectFamily",
  "autoSelectFamilyAttemptTimeout",
  "useH2c",
  "initialWindowSize",
  "connectionWindowSize",
  "pingInterval",
  "useMilo",
  "webSocket",
  "h2Options",
  "eventSource",
];

const positive = expected.number({ above: 0 });

const CHECKED: Readonly<Record<string, Expected<unknown>>> = {
  connections: {
    description: "a whole number ≥ 1, or null for any number",
    accepts: (value: unknown): value is number | null =>
      value === null || (Number.isInteger(value) && (value as number) >= 1),
  },
  pipelining: expected.integer({ min: 0 }),
  keepAliveTimeout: positive,
  keepAliveMaxTimeout: positive,
  keepAliveTimeoutThreshold: expected.number({ min: 0 }),
  maxRequestsPerClient: expected.integer({ min: 0 }),
  maxConcurrentStreams: expected.integer({ min: 1 }),
  allowH2: expected.boolean,
  connect: {
    description: "options of a socket, or a connector",
    accepts: (value: unknown): value is Connect =>
      (typeof value === "object" && value !== null) || typeof value === "function",
  },
  maxConnectionAgeMs: expected.durationOrOff,
  random: expected.having("next", "a generator such as createRandom()"),
};

const DURATIONS = ["defaultTtlMs", "minTtlMs", "maxTtlMs"];

/**
 * Checks the options of connections.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function checkPoolOptions(where: string, options: PoolOptions | undefined): void {
  if (options === undefined) return;
  const check = new OptionCheck();
  const input = check.record("pool", options, [...UNDICIS_KEYS, ...Object.keys(CHECKED), "names"]);
  if (input !== undefined) {
    for (const [key, wanted] of Object.entries(CHECKED)) check.optional(`pool.${key}`, input[key], wanted);
    const { names } = input;
    if (names !== undefined && names !== false) checkNames(check, names);
  }
  check.throwIfAny(where);
}

function checkNames(check: OptionCheck, names: unknown): void {
  const input = check.record("pool.names", names, ["resolve", ...DURATIONS]);
  if (input === undefined) return;
  check.optional("pool.names.resolve", input["resolve"], expected.func);
  for (const key of DURATIONS) check.optional(`pool.names.${key}`, input[key], positive);
  const { minTtlMs, maxTtlMs } = input;
  if (typeof minTtlMs === "number" && typeof maxTtlMs === "number" && minTtlMs > maxTtlMs)
    check.problem("pool.names.minTtlMs", minTtlMs, "at most maxTtlMs");
}
