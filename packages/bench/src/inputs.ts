import { type BackendSpec, createRandom, type PickRequest } from "@fairlead/core";

/** So many that no cache holds what belongs to all of them; a power of two. */
const KEYS = 4_096;

/** Fresh objects each time, as a discovery makes them. */
export function specs(count: number, uneven = false): BackendSpec[] {
  return Array.from({ length: count }, (_, i) => ({
    url: `http://10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:8080`,
    weight: uneven ? 1 + ((i * 7_919) % 10_007) / 10 : 1,
  }));
}

/** Calls with 36-character UUIDs as keys; their number is a power of two. */
export function keyedRequests(): readonly PickRequest[] {
  const random = createRandom(3);
  return Array.from({ length: KEYS }, () => ({ hashKey: uuid(() => random.next()) }));
}

function uuid(draw: () => number): string {
  const digits = Buffer.from(Array.from({ length: 16 }, () => Math.floor(draw() * 256))).toString("hex");
  const parts = [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)];
  // Through bytes, so that it is one flat text like those that come from a socket.
  return Buffer.from(parts.join("-"), "latin1").toString("latin1");
}
