import { createRandom, type Report } from "@fairlead/core";
import { describe, expect, it } from "vitest";
import { Exchange } from "./exchange.ts";
import type { Fault } from "./scenario.ts";
import { Server } from "./server.ts";
import { SimulationClock } from "./simulation-clock.ts";

const SERVICE_MS = 10;

/** A server with a log of what its clients see. */
class World {
  readonly clock = new SimulationClock();
  readonly server: Server;
  readonly seen: string[] = [];

  constructor(workers: number) {
    this.server = new Server({
      clock: this.clock,
      workers,
      serviceMs: () => SERVICE_MS,
      random: createRandom(3),
    });
  }

  /** Sends one request for each name. */
  send(...names: readonly string[]): void {
    for (const name of names) this.server.receive(new Noted(this, name));
  }

  at(ms: number, run: () => void): void {
    this.clock.schedule(ms, run);
  }

  fault(fault: Partial<Fault> & Pick<Fault, "kind">, fromMs: number, toMs: number): void {
    const active = { fault: { targets: "web", ...fault } as Fault, sinceMs: fromMs };
    this.at(fromMs, () => this.server.begin(active));
    this.at(toMs, () => this.server.end(active));
  }

  run(): string[] {
    while (this.clock.nextMs < Number.POSITIVE_INFINITY) this.clock.step();
    return this.seen;
  }
}

class Noted extends Exchange {
  readonly #world: World;
  readonly #name: string;

  constructor(world: World, name: string) {
    super(world.server, world.clock, 0);
    this.#world = world;
    this.#name = name;
  }

  protected answered({ status, errorCode }: Report): void {
    this.#world.seen.push(`${this.#name} ${status ?? errorCode} at ${this.#world.clock.now()}`);
  }
}

describe("a modelled backend", () => {
  it("serves in the order of arrival, one per worker at a time", () => {
    const world = new World(2);
    world.at(0, () => world.send("a", "b", "c", "d", "e"));
    expect(world.run()).toEqual(["a 200 at 10", "b 200 at 10", "c 200 at 20", "d 200 at 20", "e 200 at 30"]);
  });

  it("stands still in a pause: what is under way ends later by its length, and nothing is begun", () => {
    const world = new World(1);
    world.at(0, () => world.send("a", "b"));
    world.at(4, () => world.server.pause(100));
    world.at(50, () => world.send("c"));
    expect(world.run()).toEqual(["a 200 at 110", "b 200 at 120", "c 200 at 130"]);
  });

  it("begins after a pause what came in it", () => {
    const world = new World(2);
    world.at(0, () => world.server.pause(100));
    world.at(50, () => world.send("a", "b"));
    expect(world.run()).toEqual(["a 200 at 110", "b 200 at 110"]);
  });

  it("takes two pauses that overlap for one", () => {
    const world = new World(1);
    world.at(0, () => world.send("a"));
    world.at(5, () => world.server.pause(10));
    world.at(10, () => world.server.pause(10));
    world.at(12, () => world.server.pause(1));
    expect(world.run()).toEqual(["a 200 at 25"]);
  });

  it("works on what an ended pause has moved, when the next one comes", () => {
    const world = new World(1);
    world.at(0, () => world.send("a"));
    world.at(1, () => world.server.pause(5));
    world.at(8, () => world.server.pause(5));
    expect(world.run()).toEqual(["a 200 at 20"]);
  });

  it("is slow for requests begun while the fault lasts", () => {
    const world = new World(1);
    world.fault({ kind: "slow", factor: 3 }, 0, 35);
    world.at(1, () => world.send("a", "b", "c"));
    expect(world.run()).toEqual(["a 200 at 31", "b 200 at 61", "c 200 at 71"]);
  });

  it("is cold at first, and less so as time goes by", () => {
    const world = new World(1);
    world.fault({ kind: "cold", factor: 5, forMs: 100 }, 0, 1_000);
    for (const ms of [0, 50, 100]) world.at(ms, () => world.send(`at ${ms}`));
    // 5, then 1 + 4 · 0.5, then 1 times as slow.
    expect(world.run()).toEqual(["at 0 200 at 50", "at 50 200 at 80", "at 100 200 at 110"]);
  });

  it("answers errors at once without taking a worker", () => {
    const world = new World(1);
    world.at(0, () => world.send("a"));
    world.fault({ kind: "fail", status: 500, afterMs: 2 }, 1, 8);
    world.at(5, () => world.send("b"));
    world.at(8, () => world.send("c"));
    expect(world.run()).toEqual(["b 500 at 7", "a 200 at 10", "c 200 at 20"]);
  });

  it("fails the share of requests it is told to", () => {
    const world = new World(10_000);
    world.fault({ kind: "fail", share: 0.25 }, 0, 100);
    world.at(1, () => world.send(...Array.from({ length: 10_000 }, () => "x")));
    const failed = world.run().filter((line) => line.includes("503")).length;
    expect(Math.abs(failed - 2_500)).toBeLessThan(5 * Math.sqrt(10_000 * 0.25 * 0.75));
  });

  it("resets what it has when it dies, refuses the rest, and comes back empty", () => {
    const world = new World(1);
    world.at(0, () => world.send("a", "b"));
    world.fault({ kind: "dead", afterMs: 1 }, 5, 20);
    world.at(6, () => world.send("c"));
    world.at(20, () => world.send("d"));
    expect(world.run()).toEqual(["a ECONNRESET at 5", "b ECONNRESET at 5", "c ECONNREFUSED at 7", "d 200 at 30"]);
  });

  it("answers nothing that comes while it hangs", () => {
    const world = new World(1);
    world.at(0, () => world.send("a"));
    world.fault({ kind: "hang" }, 5, 20);
    world.at(6, () => world.send("lost"));
    world.at(20, () => world.send("b"));
    expect(world.run()).toEqual(["a 200 at 10", "b 200 at 30"]);
  });

  it("ends for good", () => {
    const world = new World(1);
    world.at(0, () => world.send("a"));
    world.at(5, () => world.server.stop());
    world.at(6, () => world.send("b"));
    expect(world.run()).toEqual(["a ECONNRESET at 5", "b ECONNREFUSED at 6"]);
  });
});
