/** A source of random numbers. Seeded ones make a run repeatable. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
}

/**
 * A small, fast generator: sfc32, 128 bits of state, passes PractRand. Unlike `Math.random()` it allocates nothing and
 * can be seeded. Not for secrets.
 *
 * @param seed Any integer. Default: drawn from `Math.random()` at the first use, because some runtimes forbid that
 * while a module loads.
 * @see https://pracrand.sourceforge.net/RNG_engines.txt
 */
export function createRandom(seed?: number): Random {
  return new Sfc32(seed);
}

class Sfc32 implements Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 0;

  constructor(seed: number | undefined) {
    if (seed !== undefined) this.#seed(seed);
  }

  next(): number {
    if (this.#counter === 0) this.#seed(Math.random() * 2 ** 32);
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    // 0 stands for "not seeded": the counter passes over it.
    this.#counter = (this.#counter + 1) | 0 || 1;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  #seed(seed: number): void {
    this.#a = 0x9e3779b9 | 0;
    this.#b = seed | 0;
    this.#c = Math.floor(seed / 2 ** 32) | 0;
    this.#counter = 1;
    // Twelve rounds mix the seed into all of the state, as the author of the generator asks.
    for (let i = 0; i < 12; i++) this.next();
  }
}

/** A whole number in [0, limit). */
export function below(random: Random, limit: number): number {
  return Math.floor(random.next() * limit);
}
