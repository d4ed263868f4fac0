import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventQueue, SimulationEvent } from "./event-queue.ts";

class Noted extends SimulationEvent {
  readonly number: number;

  constructor(number: number) {
    super();
    this.number = number;
  }

  happen(): void {}
}

function takeAll(queue: EventQueue): number[] {
  const taken: number[] = [];
  for (let event = queue.take(); event !== undefined; event = queue.take()) taken.push((event as Noted).number);
  return taken;
}

describe("an event queue", () => {
  it("gives events by time, and those of one moment in the order they came", () => {
    // Few moments, so that many events share one.
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (moments) => {
        const queue = new EventQueue();
        for (const [number, dueMs] of moments.entries()) queue.add(new Noted(number), dueMs);
        const wanted = moments
          .map((_, number) => number)
          .sort((a, b) => (moments[a] ?? 0) - (moments[b] ?? 0) || a - b);
        expect(takeAll(queue)).toEqual(wanted);
      }),
    );
  });

  it("forgets what is removed, and keeps the order of the rest", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.boolean()), { maxLength: 200 }), (plan) => {
        const queue = new EventQueue();
        const events = plan.map((_, number) => new Noted(number));
        for (const event of events) queue.add(event, plan[event.number]?.[0] ?? 0);
        for (const event of events) if (plan[event.number]?.[1] === true) queue.remove(event);
        const kept = events.filter(({ number }) => plan[number]?.[1] === false).map(({ number }) => number);
        expect(takeAll(queue)).toEqual(kept.sort((a, b) => (plan[a]?.[0] ?? 0) - (plan[b]?.[0] ?? 0) || a - b));
      }),
    );
  });

  it("takes an event again after it happened, and leaves one alone that is not queued", () => {
    const queue = new EventQueue();
    const event = new Noted(1);
    queue.remove(event);
    queue.add(event, 5);
    expect(queue.take()).toBe(event);
    queue.remove(event);
    queue.add(event, 7);
    expect(queue.nextMs).toBe(7);
    expect(queue.take()).toBe(event);
    expect(queue.nextMs).toBe(Number.POSITIVE_INFINITY);
  });
});
