import { type Breaker, type BreakerContext, type BreakerProvider, FairleadError } from "@fairlead/core";
import type { Circuit } from "../circuit/contract.ts";
import type { BreakerRules, BreakerSettings } from "../settings.ts";
import { KeyReader } from "./key-reader.ts";
import { type CircuitBreakerOptions, reconfigureRules, resolveCircuitBreaker, type Scope } from "./options.ts";
import { Site, type SiteContext } from "./site.ts";
import { type BreakerSnapshot, identityOf } from "./snapshot.ts";
import type { Switch } from "./switch.ts";

/**
 * Breakers for the option `breaker` of balancers. One serves several balancers of different names. A breaker is named by
 * upstream, backend (left out where the upstream has one) and key (where requests are told apart).
 */
export interface CircuitBreaker extends BreakerProvider {
  /**
   * An opossum circuit that follows the breaker, for its events and exporters; made when it is first asked for.
   *
   * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if there is no such breaker; so do the three below
   */
  circuit(upstream: string, backend?: string, key?: string): Circuit;
  /** Opens it as if it had tripped. */
  open(upstream: string, backend?: string, key?: string): void;
  /** Opens it until it is closed by hand. Nothing sets that aside, panic neither. */
  isolate(upstream: string, backend?: string, key?: string): void;
  /** Closes it, isolated or not. */
  close(upstream: string, backend?: string, key?: string): void;
  /** Changes rules at once, for breakers to come as well. States stay; counts do if the window is the same. */
  configure(rules: BreakerRules): void;
  /** Every breaker as it is now, as plain JSON. */
  snapshot(): BreakerSnapshot[];
}

/**
 * Makes breakers for balancers.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  const resolved = resolveCircuitBreaker(options);
  const saved = new Map(resolved.state.map((one) => [identityOf(one), one]));
  return new BalancedBreakers(resolved.scope, resolved.given, resolved.rules, saved);
}

class BalancedBreakers implements CircuitBreaker {
  readonly name = "circuitBreaker";
  readonly #scope: Scope;
  #given: BreakerRules;
  #settings: BreakerSettings;
  readonly #saved: Map<string, BreakerSnapshot>;
  readonly #keys: KeyReader | undefined;
  readonly #sites = new Map<string, Site>();

  constructor(scope: Scope, given: BreakerRules, settings: BreakerSettings, saved: Map<string, BreakerSnapshot>) {
    this.#scope = scope;
    this.#given = given;
    this.#settings = settings;
    this.#saved = saved;
    this.#keys = scope.key === undefined ? undefined : new KeyReader(scope.key);
  }

  create(context: BreakerContext): Breaker {
    const backend = this.#scope.per === "backend" ? context.backend : null;
    const id = identityOf({ upstream: context.upstream, backend, key: null });
    const known = this.#sites.get(id);
    if (known !== undefined) return known.breaker(context);
    const site = new Site(this.#siteContext(), context, backend, () => this.#sites.delete(id));
    this.#sites.set(id, site);
    return site.breaker(context);
  }

  circuit(upstream: string, backend?: string, key?: string): Circuit {
    return this.#find(upstream, backend, key).circuit;
  }

  open(upstream: string, backend?: string, key?: string): void {
    this.#find(upstream, backend, key).act((machine) => machine.open("opened by hand"));
  }

  isolate(upstream: string, backend?: string, key?: string): void {
    this.#find(upstream, backend, key).act((machine) => machine.isolate("isolated by hand"));
  }

  close(upstream: string, backend?: string, key?: string): void {
    this.#find(upstream, backend, key).act((machine) => machine.close("closed by hand"));
  }

  configure(rules: BreakerRules): void {
    const { given, rules: settings } = reconfigureRules(this.#given, rules);
    this.#given = given;
    this.#settings = settings;
    for (const site of this.#sites.values()) for (const each of site.all()) each.settings = settings;
  }

  snapshot(): BreakerSnapshot[] {
    return [...this.#sites.values()].flatMap((site) => {
      const nowMs = site.nowMs();
      return Array.from(site.all(), (each) => each.snapshotAt(nowMs));
    });
  }

  #siteContext(): SiteContext {
    return { scope: this.#scope, settings: () => this.#settings, keys: this.#keys, saved: this.#saved };
  }

  #find(upstream: string, backend: string | undefined, key: string | undefined): Switch {
    const site = this.#sites.get(identityOf({ upstream, backend: backend ?? null, key: null }));
    const found = site?.find(key);
    if (found !== undefined) return found;
    const named = [upstream, backend, key].filter((part) => part !== undefined).join(", ");
    const names = ["upstream", this.#scope.per === "backend" ? "backend" : [], this.#keys === undefined ? [] : "key"];
    throw new FairleadError(
      "FAIRLEAD_ERR_CONFIG",
      `circuitBreaker: there is no breaker (${named}); one is named by ${names.flat().join(", ")}`,
    );
  }
}
