import type { KeyHash } from "./key-hash.ts";
import { utf8 } from "./utf8.ts";

// The five primes of the algorithm, in halves.
const P1_LOW = 0x85ebca87;
const P1_HIGH = 0x9e3779b1;
const P2_LOW = 0x27d4eb4f;
const P2_HIGH = 0xc2b2ae3d;
const P3_LOW = 0x9e3779f9;
const P3_HIGH = 0x165667b1;
const P4_LOW = 0xc2b2ae63;
const P4_HIGH = 0x85ebca77;
const P5_LOW = 0x165667c5;
const P5_HIGH = 0x27d4eb2f;

/** 64-bit numbers, two elements each, the low half first: four lanes, then the hash, then a number to work on. */
const registers: Int32Array = /* @__PURE__ */ new Int32Array(12);
const HASH = 8;
const WORK = 10;

/**
 * XXH64 of the UTF-8 bytes: the hash of Envoy's ring hash and Maglev. JavaScript has no fast 64-bit integers, so every
 * number is kept as two halves.
 *
 * Source: Yann Collet, xxHash `doc/xxhash_spec.md`, XXH64.
 */
export const xxh64: KeyHash = {
  name: "xxh64",
  digest(key: string, seed: number, words: Uint32Array): void {
    const bytes = utf8.encode(key);
    if (bytes < 32) {
      set(HASH, seed, 0);
      add(HASH, P5_LOW, P5_HIGH);
    } else {
      hashStripes(seed, bytes >> 5);
    }
    add(HASH, bytes, 0);
    hashRest(bytes & ~31, bytes);
    finish();
    words[0] = registers[HASH] as number;
    words[1] = registers[HASH + 1] as number;
  },
};

/** The bytes that fill stripes of 32: of each stripe, a quarter for every lane. */
function hashStripes(seed: number, stripes: number): void {
  for (let lane = 0; lane < HASH; lane += 2) set(lane, seed, 0);
  add(0, P1_LOW, P1_HIGH);
  add(0, P2_LOW, P2_HIGH);
  add(2, P2_LOW, P2_HIGH);
  // Less P1, that is, plus its two's complement.
  add(6, -P1_LOW, ~P1_HIGH);
  const text = utf8.words;
  for (let stripe = 0; stripe < stripes; stripe++) {
    const at = stripe * 8;
    // Written out: as a loop, the hash of a common key took a seventh longer.
    round(0, text[at] as number, text[at + 1] as number);
    round(2, text[at + 2] as number, text[at + 3] as number);
    round(4, text[at + 4] as number, text[at + 5] as number);
    round(6, text[at + 6] as number, text[at + 7] as number);
  }
  set(HASH, 0, 0);
  addRotated(0, 1);
  addRotated(2, 7);
  addRotated(4, 12);
  addRotated(6, 18);
  for (let lane = 0; lane < HASH; lane += 2) {
    takeIn(registers[lane] as number, registers[lane + 1] as number);
    multiply(HASH, P1_LOW, P1_HIGH);
    add(HASH, P4_LOW, P4_HIGH);
  }
}

/** What is left, from a multiple of four on: by eights, a four, ones. */
function hashRest(from: number, bytes: number): void {
  const text = utf8.words;
  let at = from;
  for (; at + 8 <= bytes; at += 8) {
    takeIn(text[at >> 2] as number, text[(at >> 2) + 1] as number);
    rotate(HASH, 27);
    multiply(HASH, P1_LOW, P1_HIGH);
    add(HASH, P4_LOW, P4_HIGH);
  }
  if (at + 4 <= bytes) {
    set(WORK, text[at >> 2] as number, 0);
    multiply(WORK, P1_LOW, P1_HIGH);
    xor(registers[WORK] as number, registers[WORK + 1] as number);
    rotate(HASH, 23);
    multiply(HASH, P2_LOW, P2_HIGH);
    add(HASH, P3_LOW, P3_HIGH);
    at += 4;
  }
  for (; at < bytes; at++) {
    set(WORK, ((text[at >> 2] as number) >>> ((at & 3) << 3)) & 0xff, 0);
    multiply(WORK, P5_LOW, P5_HIGH);
    xor(registers[WORK] as number, registers[WORK + 1] as number);
    rotate(HASH, 11);
    multiply(HASH, P1_LOW, P1_HIGH);
  }
}

/** Every bit of the hash comes to depend on all of them. */
function finish(): void {
  xor((registers[HASH + 1] as number) >>> 1, 0);
  multiply(HASH, P2_LOW, P2_HIGH);
  const high = registers[HASH + 1] as number;
  xor(((registers[HASH] as number) >>> 29) | (high << 3), high >>> 29);
  multiply(HASH, P3_LOW, P3_HIGH);
  xor(registers[HASH + 1] as number, 0);
}

/** Mixes a number into the hash, after a round of its own. */
function takeIn(low: number, high: number): void {
  set(WORK, 0, 0);
  round(WORK, low, high);
  xor(registers[WORK] as number, registers[WORK + 1] as number);
}

/** register = rotate(register + number × P2, 31) × P1. In one piece: by steps, a common key took a seventh longer. */
function round(at: number, low: number, high: number): void {
  const addend = Math.imul(low, P2_LOW);
  const sum = ((registers[at] as number) + addend) | 0;
  const upper =
    ((registers[at + 1] as number) + upperProduct(low, high, P2_LOW, P2_HIGH) + (sum >>> 0 < addend >>> 0 ? 1 : 0)) | 0;
  const turned = (sum << 31) | (upper >>> 1);
  registers[at] = Math.imul(turned, P1_LOW);
  registers[at + 1] = upperProduct(turned, (upper << 31) | (sum >>> 1), P1_LOW, P1_HIGH);
}

function set(at: number, low: number, high: number): void {
  registers[at] = low;
  registers[at + 1] = high;
}

/** Into the hash. */
function xor(low: number, high: number): void {
  registers[HASH] = (registers[HASH] as number) ^ low;
  registers[HASH + 1] = (registers[HASH + 1] as number) ^ high;
}

function add(at: number, low: number, high: number): void {
  const sum = ((registers[at] as number) + low) | 0;
  const carry = sum >>> 0 < low >>> 0 ? 1 : 0;
  registers[at] = sum;
  registers[at + 1] = (registers[at + 1] as number) + high + carry;
}

/** Adds a lane, rotated left, to the hash. */
function addRotated(lane: number, bits: number): void {
  set(WORK, registers[lane] as number, registers[lane + 1] as number);
  rotate(WORK, bits);
  add(HASH, registers[WORK] as number, registers[WORK + 1] as number);
}

/** To the left, by less than 32 bits. */
function rotate(at: number, bits: number): void {
  const low = registers[at] as number;
  const high = registers[at + 1] as number;
  registers[at] = (low << bits) | (high >>> (32 - bits));
  registers[at + 1] = (high << bits) | (low >>> (32 - bits));
}

function multiply(at: number, low: number, high: number): void {
  const own = registers[at] as number;
  registers[at + 1] = upperProduct(own, registers[at + 1] as number, low, high);
  registers[at] = Math.imul(own, low);
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
  const carried = Math.imul(a1, b1) + (middle >>> 16) + (rest >>> 16);
  return (carried + Math.imul(high, otherLow) + Math.imul(low, otherHigh)) | 0;
}
