import type { Loop } from "../measure/rounds.ts";

/**
 * The least that a load-aware choice can cost: two draws of a generator without state to speak of, two loads, one
 * comparison. No gate, no weights, no latency.
 */
export function floorLoop(size: number): Loop {
  const backends = Array.from({ length: size }, (_, index) => ({ index, inFlight: index % 3 }));
  let state = 0x2545f491;
  let sum = 0;
  const draw = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % size;
  };
  return (count) => {
    for (let i = 0; i < count; i++) {
      const one = backends[draw()];
      const other = backends[draw()];
      if (one === undefined || other === undefined) continue;
      sum = (sum + (one.inFlight <= other.inFlight ? one : other).index) | 0;
    }
  };
}
