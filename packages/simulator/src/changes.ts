import type { BackendSpec } from "@fairlead/core";
import type { Fleet, Instance } from "./fleet.ts";
import type { Change, ColdStart, Scenario } from "./scenario.ts";
import type { SimulationClock } from "./simulation-clock.ts";

type Removal = Extract<Change, { kind: "remove" | "replace" }>;

/** Changes the set of backends while calls are under way, and tells the clients. */
export class Changes {
  readonly #scenario: Scenario;
  readonly #fleet: Fleet;
  readonly #clock: SimulationClock;
  readonly #tell: (backends: readonly BackendSpec[]) => void;

  constructor(
    scenario: Scenario,
    fleet: Fleet,
    clock: SimulationClock,
    tell: (backends: readonly BackendSpec[]) => void,
  ) {
    this.#scenario = scenario;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Has every change come about in its time. `startMs`: when the measurement begins, by the clock. */
  schedule(startMs: number): void {
    for (const change of this.#scenario.changes ?? []) {
      this.#clock.schedule(startMs + change.atMs, () => {
        if (change.kind === "add") this.#inTurn(change, change.count, () => this.#add(change));
        else {
          const instances = this.#fleet.find(change.targets);
          this.#inTurn(change, instances.length, (turn) => this.#take(change, instances[turn]));
        }
      });
    }
  }

  #inTurn({ everyMs = 0 }: Change, turns: number, change: (turn: number) => void): void {
    for (let turn = 0; turn < turns; turn++) this.#clock.schedule(turn * everyMs, () => change(turn));
  }

  #add(change: Extract<Change, { kind: "add" }>): void {
    const group = this.#scenario.backends.find(({ name }) => name === change.group);
    if (group === undefined) return;
    this.#warmUp(this.#fleet.add(group), change.cold);
    this.#publish(change);
  }

  #take(change: Removal, instance: Instance | undefined): void {
    if (instance === undefined) return;
    const { drainMs = 0 } = change;
    if (drainMs === 0) this.#finish(change, instance);
    else {
      this.#fleet.drain(instance);
      this.#publish(change);
      this.#clock.schedule(drainMs, () => this.#finish(change, instance));
    }
  }

  #finish(change: Removal, instance: Instance): void {
    // Another change may have been faster.
    if (!this.#fleet.remove(instance)) return;
    if (change.kind === "replace") this.#warmUp(this.#fleet.replace(instance), change.cold);
    this.#publish(change);
  }

  #warmUp({ id, server }: Instance, cold: ColdStart | undefined): void {
    if (cold === undefined) return;
    server.begin({ fault: { kind: "cold", targets: id, ...cold }, sinceMs: this.#clock.now() });
  }

  #publish({ noticeMs = 0 }: Change): void {
    const specs = this.#fleet.specs();
    if (noticeMs === 0) this.#tell(specs);
    else this.#clock.schedule(noticeMs, () => this.#tell(specs));
  }
}
