import type { BackendSpec } from "@fairlead/core";
import { type BackendGroup, DEFAULTS, type Scenario, type Targets } from "./scenario.ts";
import { Server } from "./server.ts";
import { serviceTimes } from "./service-time.ts";
import type { SimulationClock } from "./simulation-clock.ts";
import { randomFor } from "./streams.ts";

/** One backend of the run, in the set or not. */
export interface Instance {
  /** Its place among all of the run. */
  readonly index: number;
  readonly id: string;
  /** The id of the first one in its place. */
  readonly slot: string;
  /** 1 for that one. */
  readonly version: number;
  readonly group: BackendGroup;
  readonly server: Server;
}

/** All backends of a run, and which of them the set names. */
export class Fleet {
  readonly #clock: SimulationClock;
  readonly #seed: number;
  readonly #instances: Instance[] = [];
  readonly #byId: Map<string, Instance> = new Map();
  /** The set, and what it says of each. */
  readonly #set: Map<Instance, "enabled" | "draining"> = new Map();
  /** Backends that each group has ever had, replacements aside. */
  readonly #slots: Map<BackendGroup, number> = new Map();

  constructor({ backends }: Scenario, seed: number, clock: SimulationClock) {
    this.#clock = clock;
    this.#seed = seed;
    for (const group of backends) for (let i = 0; i < group.count; i++) this.add(group);
  }

  get instances(): readonly Instance[] {
    return this.#instances;
  }

  get(id: string): Instance | undefined {
    return this.#byId.get(id);
  }

  add(group: BackendGroup): Instance {
    const number = (this.#slots.get(group) ?? 0) + 1;
    this.#slots.set(group, number);
    return this.#start(group, `${group.name}-${number}`, 1);
  }

  replace({ group, slot, version }: Instance): Instance {
    return this.#start(group, slot, version + 1);
  }

  drain(instance: Instance): void {
    if (this.#set.has(instance)) this.#set.set(instance, "draining");
  }

  /** Takes it out of the set and ends it. False if it is not in the set. */
  remove(instance: Instance): boolean {
    instance.server.stop();
    return this.#set.delete(instance);
  }

  /** Those of the targets that are in the set now. */
  find(targets: Targets): Instance[] {
    const names = typeof targets === "string" ? [targets] : targets;
    return [...this.#set.keys()].filter(({ group, slot }) =>
      names.some((name) => name === group.name || name === slot || name === `zone:${group.zone}`),
    );
  }

  /** What clients are told. */
  specs(): BackendSpec[] {
    return [...this.#set].map(([{ id, group }, state]) => ({
      url: `http://${id}`,
      id,
      weight: group.weight,
      zone: group.zone,
      priority: group.priority,
      labels: group.labels,
      state,
    }));
  }

  #start(group: BackendGroup, slot: string, version: number): Instance {
    const index = this.#instances.length;
    const server = new Server({
      clock: this.#clock,
      workers: group.workers ?? DEFAULTS.workers,
      serviceMs: serviceTimes(group.service ?? DEFAULTS.service, randomFor(this.#seed, "service", index)),
      random: randomFor(this.#seed, "faults", index),
    });
    const id = version === 1 ? slot : `${slot}-v${version}`;
    const instance: Instance = { index, id, slot, version, group, server };
    this.#instances.push(instance);
    this.#byId.set(id, instance);
    this.#set.set(instance, "enabled");
    return instance;
  }
}
