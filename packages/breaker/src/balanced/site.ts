import type { Breaker, BreakerContext } from "@fairlead/core";
import type { BreakerSettings } from "../settings.ts";
import type { KeyReader } from "./key-reader.ts";
import { KeyedBreaker } from "./keyed-breaker.ts";
import { KeyedSwitches } from "./keyed-switches.ts";
import type { Scope } from "./options.ts";
import { type BreakerIdentity, type BreakerSnapshot, identityOf } from "./snapshot.ts";
import { Switch } from "./switch.ts";
import { SwitchBreaker } from "./switch-breaker.ts";

/** What sites have in common. */
export interface SiteContext {
  readonly scope: Scope;
  /** As they apply now. */
  readonly settings: () => BreakerSettings;
  /** `undefined`: requests are not told apart. */
  readonly keys: KeyReader | undefined;
  /** States of an earlier process that have not been taken up, by identity. */
  readonly saved: Map<string, BreakerSnapshot>;
}

/** One backend, or one upstream, with its breaker or its breakers by key. Lives as long as a balancer has a use for it. */
export class Site {
  readonly #context: SiteContext;
  readonly #breakerContext: BreakerContext;
  readonly #where: Pick<BreakerIdentity, "upstream" | "backend">;
  readonly #switches: Switch | KeyedSwitches;
  readonly #gone: () => void;
  /** One for each backend that has been given its breaker. */
  readonly #users = new Set<BreakerContext>();

  constructor(context: SiteContext, breakerContext: BreakerContext, backend: string | null, gone: () => void) {
    this.#context = context;
    this.#breakerContext = breakerContext;
    this.#where = { upstream: breakerContext.upstream, backend };
    this.#gone = gone;
    this.#switches =
      context.keys === undefined
        ? this.#make(null, 1)
        : new KeyedSwitches(context.keys, context.scope.maxKeys, (key, generation) => this.#make(key, generation));
    this.#takeUpKeys();
  }

  /** For one more backend. */
  breaker(user: BreakerContext): Breaker {
    this.#users.add(user);
    const released = (): void => this.#release(user);
    return this.#switches instanceof Switch
      ? new SwitchBreaker(this.#switches, released)
      : new KeyedBreaker(this.#switches, released);
  }

  /** `undefined`: it is asked for by key where there are none, or without one where there are. */
  find(key: string | undefined): Switch | undefined {
    if (this.#switches instanceof Switch) return key === undefined ? this.#switches : undefined;
    return key === undefined ? undefined : this.#switches.obtain(key);
  }

  all(): Iterable<Switch> {
    return this.#switches instanceof Switch ? [this.#switches] : this.#switches.all();
  }

  nowMs(): number {
    return this.#breakerContext.clock.now();
  }

  #make(key: string | null, firstGeneration: number): Switch {
    const identity = { ...this.#where, key };
    const { saved, settings } = this.#context;
    const id = identityOf(identity);
    const made = new Switch({
      identity,
      context: this.#breakerContext,
      settings: settings(),
      saved: saved.get(id),
      firstGeneration,
      gateChanged: () => {
        for (const user of this.#users) user.gateChanged();
      },
    });
    saved.delete(id);
    return made;
  }

  /** An open one must be so before its first call. */
  #takeUpKeys(): void {
    if (this.#switches instanceof Switch) return;
    const { upstream, backend } = this.#where;
    for (const state of this.#context.saved.values()) {
      if (state.upstream === upstream && state.backend === backend && state.key !== null)
        this.#switches.obtain(state.key);
    }
  }

  #release(user: BreakerContext): void {
    this.#users.delete(user);
    if (this.#users.size > 0) return;
    this.#switches.end();
    this.#gone();
  }
}
