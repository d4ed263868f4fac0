import type { KeyHash } from "./key-hash.ts";
import { utf8 } from "./utf8.ts";

// The five primes of the algorithm, in halves.
const P1_LOW = 0x85ebca87 | 0;
const P1_HIGH = 0x9e3779b1 | 0;
const P2_LOW = 0x27d4eb4f;
const P2_HIGH = 0xc2b2ae3d | 0;
const P3_LOW = 0x9e3779f9 | 0;
const P3_HIGH = 0x165667b1;
const P4_LOW = 0xc2b2ae63 | 0;
const P4_HIGH = 0x85ebca77 | 0;
const P5_LOW = 0x165667c5;
const P5_HIGH = 0x27d4eb2f;

/** 64-bit numbers, two elements each, the low half first: the four lanes, then the hash. */
const registers: Int32Array = /* @__PURE__ */ new Int32Array(10);
const HASH = 8;

/**
 * XXH64 of the UTF-8 bytes: the hash of Envoy's ring hash and Maglev. JavaScript has no fast 64-bit integers, so every
 * number is kept as two halves.
 *
 * Each of the functions below is one step of the algorithm, with so few products that V8 can build them in: it stops
 * when a function has grown by 920 bytes of bytecode, and a product is 80. In one piece this took a fifth longer.
 *
 * Source: Yann Collet, xxHash `doc/xxhash_spec.md`, XXH64.
 */
export const xxh64: KeyHash = {
  name: "xxh64",
  digest(key: string, seed: number, words: Uint32Array): void {
    const bytes = utf8.encode(key);
    if (bytes < 32) {
      const low = (seed + P5_LOW) | 0;
      registers[HASH] = low;
      registers[HASH + 1] = P5_HIGH + carried(low, P5_LOW);
    } else {
      hashStripes(seed, bytes >> 5);
      mergeLanes();
    }
    hashRest(bytes);
    words[0] = registers[HASH] as number;
    words[1] = registers[HASH + 1] as number;
  },
};

function hashStripes(seed: number, stripes: number): void {
  hashLane(0, (P1_LOW + P2_LOW) | 0, P1_HIGH + P2_HIGH + carried((P1_LOW + P2_LOW) | 0, P2_LOW), seed, stripes);
  hashLane(2, P2_LOW, P2_HIGH, seed, stripes);
  hashLane(4, 0, 0, seed, stripes);
  // Less P1, that is, plus its two's complement.
  hashLane(6, -P1_LOW, ~P1_HIGH, seed, stripes);
}

/** One quarter of every stripe of 32 bytes. lane = rotate(lane + input × P2, 31) × P1. */
function hashLane(lane: number, startLow: number, startHigh: number, seed: number, stripes: number): void {
  const text = utf8.words;
  let low = (startLow + seed) | 0;
  let high = (startHigh + carried(low, seed)) | 0;
  for (let at = lane, end = stripes * 8; at < end; at += 8) {
    const inputLow = text[at] as number;
    const product = Math.imul(inputLow, P2_LOW);
    const sum = (low + product) | 0;
    const upper = (high + upperProduct(inputLow, text[at + 1] as number, P2_LOW, P2_HIGH) + carried(sum, product)) | 0;
    const turned = (sum << 31) | (upper >>> 1);
    low = Math.imul(turned, P1_LOW);
    high = upperProduct(turned, (upper << 31) | (sum >>> 1), P1_LOW, P1_HIGH);
  }
  registers[lane] = low;
  registers[lane + 1] = high;
}

/** hash = the sum of all lanes, rotated by 1, 7, 12, 18; then of each: (hash xor round(lane)) × P1 + P4. */
function mergeLanes(): void {
  let low = 0;
  let high = 0;
  for (let lane = 0; lane < HASH; lane += 2) {
    const bits = ROTATIONS[lane >> 1] as number;
    const laneLow = registers[lane] as number;
    const laneHigh = registers[lane + 1] as number;
    const turned = (laneLow << bits) | (laneHigh >>> (32 - bits));
    low = (low + turned) | 0;
    high = (high + ((laneHigh << bits) | (laneLow >>> (32 - bits))) + carried(low, turned)) | 0;
  }
  for (let lane = 0; lane < HASH; lane += 2) {
    const laneLow = registers[lane] as number;
    const product = Math.imul(laneLow, P2_LOW);
    const upper = upperProduct(laneLow, registers[lane + 1] as number, P2_LOW, P2_HIGH);
    const turned = (product << 31) | (upper >>> 1);
    low ^= Math.imul(turned, P1_LOW);
    high ^= upperProduct(turned, (upper << 31) | (product >>> 1), P1_LOW, P1_HIGH);
    high = upperProduct(low, high, P1_LOW, P1_HIGH);
    low = (Math.imul(low, P1_LOW) + P4_LOW) | 0;
    high = (high + P4_HIGH + carried(low, P4_LOW)) | 0;
  }
  registers[HASH] = low;
  registers[HASH + 1] = high;
}

const ROTATIONS: Int32Array = /* @__PURE__ */ Int32Array.of(1, 7, 12, 18);

/** What is left after the stripes: by eights, a four, ones. Then every bit of the hash comes to depend on all of them. */
function hashRest(bytes: number): void {
  const text = utf8.words;
  let at = bytes & ~31;
  addLength(bytes);
  for (; at + 8 <= bytes; at += 8) hashEight(text[at >> 2] as number, text[(at >> 2) + 1] as number);
  if (at + 4 <= bytes) {
    hashFour(text[at >> 2] as number);
    at += 4;
  }
  for (; at < bytes; at++) hashOne(((text[at >> 2] as number) >>> ((at & 3) << 3)) & 0xff);
  finish();
}

function addLength(bytes: number): void {
  const low = ((registers[HASH] as number) + bytes) | 0;
  registers[HASH + 1] = (registers[HASH + 1] as number) + carried(low, bytes);
  registers[HASH] = low;
}

/** hash = rotate(hash xor round(input), 27) × P1 + P4 */
function hashEight(inputLow: number, inputHigh: number): void {
  const product = Math.imul(inputLow, P2_LOW);
  const upper = upperProduct(inputLow, inputHigh, P2_LOW, P2_HIGH);
  const turned = (product << 31) | (upper >>> 1);
  const low = (registers[HASH] as number) ^ Math.imul(turned, P1_LOW);
  const high = (registers[HASH + 1] as number) ^ upperProduct(turned, (upper << 31) | (product >>> 1), P1_LOW, P1_HIGH);
  const factor = (low << 27) | (high >>> 5);
  const sum = (Math.imul(factor, P1_LOW) + P4_LOW) | 0;
  registers[HASH] = sum;
  registers[HASH + 1] =
    upperProduct(factor, (high << 27) | (low >>> 5), P1_LOW, P1_HIGH) + P4_HIGH + carried(sum, P4_LOW);
}

/** hash = rotate(hash xor input × P1, 23) × P2 + P3 */
function hashFour(input: number): void {
  const low = (registers[HASH] as number) ^ Math.imul(input, P1_LOW);
  const high = (registers[HASH + 1] as number) ^ upperProduct(input, 0, P1_LOW, P1_HIGH);
  const factor = (low << 23) | (high >>> 9);
  const sum = (Math.imul(factor, P2_LOW) + P3_LOW) | 0;
  registers[HASH] = sum;
  registers[HASH + 1] =
    upperProduct(factor, (high << 23) | (low >>> 9), P2_LOW, P2_HIGH) + P3_HIGH + carried(sum, P3_LOW);
}

/** hash = rotate(hash xor input × P5, 11) × P1 */
function hashOne(input: number): void {
  const low = (registers[HASH] as number) ^ Math.imul(input, P5_LOW);
  const high = (registers[HASH + 1] as number) ^ upperProduct(input, 0, P5_LOW, P5_HIGH);
  const factor = (low << 11) | (high >>> 21);
  registers[HASH] = Math.imul(factor, P1_LOW);
  registers[HASH + 1] = upperProduct(factor, (high << 11) | (low >>> 21), P1_LOW, P1_HIGH);
}

/** hash ^= hash >>> 33, × P2, ^= hash >>> 29, × P3, ^= hash >>> 32 */
function finish(): void {
  const first = (registers[HASH] as number) ^ ((registers[HASH + 1] as number) >>> 1);
  const upper = upperProduct(first, registers[HASH + 1] as number, P2_LOW, P2_HIGH);
  const lower = Math.imul(first, P2_LOW);
  const second = lower ^ ((lower >>> 29) | (upper << 3));
  const high = upperProduct(second, upper ^ (upper >>> 29), P3_LOW, P3_HIGH);
  registers[HASH] = Math.imul(second, P3_LOW) ^ high;
  registers[HASH + 1] = high;
}

/** What a sum of two low halves carried over: 1 if it is less than one of them. */
function carried(sum: number, addend: number): number {
  return sum >>> 0 < addend >>> 0 ? 1 : 0;
}

/** The high half of the product of two 64-bit numbers, modulo 2⁶⁴: schoolbook multiplication in digits of 16 bits. */
function upperProduct(low: number, high: number, otherLow: number, otherHigh: number): number {
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = otherLow & 0xffff;
  const b1 = otherLow >>> 16;
  // Neither sum reaches 2³², so nothing is lost.
  const middle = Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16);
  const rest = Math.imul(a0, b1) + (middle & 0xffff);
  const product = Math.imul(a1, b1) + (middle >>> 16) + (rest >>> 16);
  return (product + Math.imul(high, otherLow) + Math.imul(low, otherHigh)) | 0;
}
