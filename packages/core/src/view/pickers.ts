import type { RequestKind } from "../backend.ts";
import type { Picker } from "../strategy/strategy.ts";
import type { Tier } from "./tier.ts";
import type { Topology } from "./topology.ts";

/** One strategy's pickers over the tiers of a topology, each built when first asked for. */
class OfTopology {
  readonly requests: (Picker | undefined)[] = [];
  readonly connections: (Picker | undefined)[] = [];
}

/** The pickers of one strategy. They live as long as the topology they are for. */
export class Pickers {
  readonly #build: (tier: Tier, kind: RequestKind) => Picker | undefined;
  readonly #byTopology = new WeakMap<Topology, OfTopology>();
  /** Nearly all picks are over the same topology as the pick before. */
  #last: Topology | undefined;
  #ofLast = new OfTopology();

  constructor(build: (tier: Tier, kind: RequestKind) => Picker | undefined) {
    this.#build = build;
  }

  of(topology: Topology, tier: Tier, kind: RequestKind): Picker | undefined {
    const pickers = this.#listOf(topology, kind);
    const { index } = tier;
    return pickers[index] ?? (pickers[index] = this.#build(tier, kind));
  }

  /** Only if it has been built: asking builds nothing. */
  built(topology: Topology, tier: Tier, kind: RequestKind): Picker | undefined {
    return this.#listOf(topology, kind)[tier.index];
  }

  #listOf(topology: Topology, kind: RequestKind): (Picker | undefined)[] {
    if (topology !== this.#last) {
      const known = this.#byTopology.get(topology);
      this.#ofLast = known ?? new OfTopology();
      if (known === undefined) this.#byTopology.set(topology, this.#ofLast);
      this.#last = topology;
    }
    return kind === "request" ? this.#ofLast.requests : this.#ofLast.connections;
  }
}
