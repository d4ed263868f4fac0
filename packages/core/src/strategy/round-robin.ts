import type { Backend } from "../backend.ts";
import { below, type Random } from "../random.ts";
import { type DeadlinePlaces, Deadlines } from "./edf.ts";
import { exactSchedule } from "./schedule.ts";
import type { Picker, PickRequest, Strategy, View } from "./strategy.ts";

/**
 * Weighted round robin: every backend by turns, heavier ones more often, and not in bursts. Where a schedule of small
 * whole numbers says it all, it goes round that; else by deadlines. The turns of closed backends are passed over, which
 * leaves the others their proportions. Starts at a random place, so that a fleet of clients does not begin with the
 * same backend.
 *
 * Sources: nginx `ngx_http_upstream_round_robin.c` (the schedule), Envoy `edf_scheduler.h` (deadlines).
 */
export function roundRobin(): Strategy {
  const memory = { request: roundRobinMemory(), connection: roundRobinMemory() };
  return { name: "roundRobin", build: (view) => buildRoundRobin(view, memory[view.kind]) };
}

/** What round robin over one kind remembers from one view to the next. */
export interface RoundRobinMemory {
  readonly circles: WeakMap<Backend, Circle>;
  readonly places: DeadlinePlaces;
}

export function roundRobinMemory(): RoundRobinMemory {
  return { circles: new WeakMap(), places: new WeakMap() };
}

export function buildRoundRobin(view: View, { circles, places }: RoundRobinMemory): Picker {
  const schedule = exactSchedule(view.weights);
  return schedule === undefined ? new Deadlines(view, places) : new Circle(view, schedule, circles);
}

/** Goes round a schedule. */
class Circle implements Picker {
  readonly #backends: readonly Backend[];
  readonly #schedule: Uint32Array;
  #cursor: number;

  constructor({ backends, random }: View, schedule: Uint32Array, circles: WeakMap<Backend, Circle>) {
    let before: Circle | undefined;
    for (const backend of backends) {
      before ??= circles.get(backend);
      circles.set(backend, this);
    }
    const { length } = schedule;
    this.#backends = backends;
    this.#schedule = schedule;
    this.#cursor = before === undefined ? below(random, length) : before.#continuedIn(length, random);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    const position = this.#find(request, nowMs);
    if (position < 0) return undefined;
    this.#cursor = position + 1 === this.#schedule.length ? 0 : position + 1;
    return this.#at(position);
  }

  peek(request: PickRequest, nowMs: number): Backend | undefined {
    const position = this.#find(request, nowMs);
    return position < 0 ? undefined : this.#at(position);
  }

  /** The same place in a circle of another length, by lot within the slot: else some slots would never come. */
  #continuedIn(length: number, random: Random): number {
    const before = this.#schedule.length;
    if (length === before) return this.#cursor;
    return Math.floor(((this.#cursor + random.next()) / before) * length);
  }

  #find(request: PickRequest, nowMs: number): number {
    const { length } = this.#schedule;
    for (let step = 0; step < length; step++) {
      const position = this.#cursor + step < length ? this.#cursor + step : this.#cursor + step - length;
      if (this.#at(position)?.admits(request, nowMs) === true) return position;
    }
    return -1;
  }

  #at(position: number): Backend | undefined {
    return this.#backends[this.#schedule[position] ?? 0];
  }
}
