import type { LookupOptions } from "node:dns";
import { isIP, type LookupFunction, type Socket } from "node:net";
import type { Clock, Timer } from "@fairlead/core";
import type { NameOptions } from "./pool-options.ts";
import { type Resolution, type ResolveName, systemResolver } from "./resolvers.ts";

/** After an answer that failed, DNS is left alone for this long, in milliseconds. */
const RETRY_MS = 5_000;

/** Addresses whose time is up serve on when nobody answers for this long, in milliseconds (RFC 8767 §5, but less). */
const STALE_AFTER_MS = 250;

/** A question without an answer for this long, in milliseconds, keeps nobody from asking again. */
const PATIENCE_MS = 30_000;

/** What those who have connections to the addresses want to know. */
export interface AddressListener {
  /** Whether anybody has to know when an address vanishes. */
  readonly isConnected: boolean;
  /** These are all there are. */
  addressesChanged(addresses: ReadonlySet<string>): void;
}

/** The addresses of one host name, as long as they hold; after that the last known ones, until there is an answer. */
export class Addresses {
  readonly #hostname: string;
  readonly #clock: Clock;
  readonly #listener: AddressListener;
  readonly #resolve: ResolveName;
  readonly #ttl: { readonly default: number; readonly min: number; readonly max: number };
  readonly #end = new AbortController();
  #known: readonly string[] = [];
  /** Those that did not answer since the last resolution: they are tried last. */
  readonly #silent = new Set<string>();
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #expiresAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #patience: Timer | undefined;
  #questions = 0;
  #timer: Timer | undefined;
  #turn = 0;

  constructor(hostname: string, options: NameOptions, clock: Clock, listener: AddressListener) {
    const { resolve = systemResolver(), defaultTtlMs = 30_000, minTtlMs = 1_000, maxTtlMs = 300_000 } = options;
    this.#hostname = hostname;
    this.#clock = clock;
    this.#listener = listener;
    this.#resolve = resolve;
    this.#ttl = { default: defaultTtlMs, min: minTtlMs, max: Math.max(minTtlMs, maxTtlMs) };
  }

  /** In place of `dns.lookup`, for `net.connect`. */
  readonly lookup: LookupFunction = (_hostname, options, callback) => {
    this.#look(options, callback).catch(() => {});
  };

  async #look({ family, all }: LookupOptions, callback: Parameters<LookupFunction>[2]): Promise<void> {
    try {
      await this.#fresh();
    } catch (error) {
      callback(error as NodeJS.ErrnoException, "");
      return;
    }
    const found = this.#inTurn(family);
    const [first] = found;
    if (first === undefined) callback(notFound(this.#hostname), "");
    else if (all === true) callback(null, found);
    else callback(null, first.address, first.family);
  }

  /** A connection came about, perhaps after other addresses had not answered. */
  reached({ autoSelectFamilyAttemptedAddresses, remoteAddress = "" }: Socket): void {
    // Left out where there was one to try. Each is such as "::1:8080".
    const tried = (autoSelectFamilyAttemptedAddresses as string[] | undefined) ?? [];
    for (const pair of tried) this.#silent.add(plain(pair.replace(/:\d+$/, "")));
    this.#silent.delete(plain(remoteAddress));
  }

  /** A connection did not come about: it may be elsewhere by now. */
  unreachable(): void {
    if (this.#clock.now() - this.#answeredAtMs >= this.#ttl.min) this.#refresh();
  }

  close(): void {
    this.#timer?.cancel();
    this.#patience?.cancel();
    this.#end.abort();
  }

  /** Resolves when there is something to go by. Rejects only if nothing was ever known. */
  async #fresh(): Promise<void> {
    if (this.#asking === undefined && this.#clock.now() < this.#expiresAtMs) return;
    const asked = this.#ask();
    await (this.#known.length === 0 ? asked : this.#unlessSlow(asked));
  }

  #unlessSlow(asked: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.schedule(STALE_AFTER_MS, resolve);
      const answered = (): void => {
        timer.cancel();
        resolve();
      };
      asked.then(answered, answered);
    });
  }

  #refresh(): void {
    this.#ask().catch(() => {});
  }

  /** One question at a time, whoever asks. */
  #ask(): Promise<void> {
    if (this.#asking !== undefined) return this.#asking;
    const asking = this.#askOnce(++this.#questions);
    const patience = this.#clock.schedule(PATIENCE_MS, () => forget(), { background: true });
    const forget = (): void => {
      patience.cancel();
      if (this.#asking === asking) this.#asking = undefined;
    };
    this.#asking = asking;
    this.#patience = patience;
    asking.then(forget, forget);
    return asking;
  }

  async #askOnce(question: number): Promise<void> {
    try {
      const resolution = await this.#resolve(this.#hostname, this.#end.signal);
      const { ttlMs } = resolution;
      const nowMs = this.#clock.now();
      if (typeof ttlMs === "object") this.#learnTime(nowMs, ttlMs).catch(() => {});
      // One that was asked later knows better.
      if (question === this.#questions) this.#learn(resolution, nowMs);
    } catch (error) {
      if (this.#known.length === 0) throw error;
      this.#holdFor(RETRY_MS);
    }
  }

  #learn({ addresses, ttlMs, complete = true }: Resolution, nowMs: number): void {
    const usable = addresses.map(plain).filter((address) => isIP(address) !== 0);
    // An empty answer is more often a mistake than the truth.
    if (usable.length === 0) throw notFound(this.#hostname);
    this.#answeredAtMs = nowMs;
    this.#known = complete ? usable : [...new Set([...usable, ...this.#known])];
    this.#silent.clear();
    this.#hold(typeof ttlMs === "object" ? undefined : ttlMs);
    this.#listener.addressesChanged(new Set(this.#known));
  }

  /** How long they hold may be known later than they are. */
  async #learnTime(answeredAtMs: number, later: Promise<number | undefined>): Promise<void> {
    const ttlMs = await later;
    if (ttlMs !== undefined && this.#answeredAtMs === answeredAtMs) this.#hold(ttlMs);
  }

  #hold(ttlMs: number | undefined): void {
    const { default: otherwise, min, max } = this.#ttl;
    this.#holdFor(ttlMs === undefined || Number.isNaN(ttlMs) ? otherwise : Math.min(Math.max(ttlMs, min), max));
  }

  #holdFor(ms: number): void {
    if (this.#end.signal.aborted) return;
    this.#expiresAtMs = this.#clock.now() + ms;
    this.#timer?.cancel();
    // Without connections nobody has to know: the next one asks.
    const expire = (): void => {
      if (this.#listener.isConnected) this.#refresh();
    };
    this.#timer = this.#clock.schedule(ms, expire, { background: true });
  }

  /**
   * Each family's in turn, so that connections spread over them, and those that have not answered last. Node alternates
   * between the families, beginning with that of the first (RFC 8305 §4).
   */
  #inTurn(family: number | string | undefined): { address: string; family: number }[] {
    this.#turn++;
    const wanted = this.#known.filter((address) => family === undefined || family === 0 || isIP(address) === family);
    const firstFamily = isIP(wanted[0] ?? "");
    const rotated = [firstFamily, 10 - firstFamily].flatMap((each) =>
      rotate(
        wanted.filter((address) => isIP(address) === each),
        this.#turn,
      ),
    );
    const answering = rotated.filter((address) => !this.#silent.has(address));
    const ordered = [...answering, ...rotated.filter((address) => this.#silent.has(address))];
    return ordered.map((address) => ({ address, family: isIP(address) }));
  }
}

function rotate(list: readonly string[], by: number): readonly string[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

/** The one way to write an address that is compared: an IPv4 one is the same as IPv6 too (RFC 4291 §2.5.5.2). */
export function plain(address: string): string {
  const mapped = /^::ffff:(\d+\.[\d.]+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  const url = `http://[${address}]`;
  return isIP(address) === 6 && URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : address;
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), {
    code: "ENOTFOUND",
    syscall: "getaddrinfo",
    hostname,
  });
}
