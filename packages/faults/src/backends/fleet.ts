import { Backend } from "./backend.ts";
import type { Condition } from "./conditions.ts";

/** The backends of one upstream. */
export class Fleet {
  readonly backends: readonly Backend[];

  private constructor(backends: readonly Backend[]) {
    this.backends = backends;
  }

  static async start(size: number): Promise<Fleet> {
    return new Fleet(await Promise.all(Array.from({ length: size }, (_, number) => Backend.start(number))));
  }

  get urls(): readonly string[] {
    return this.backends.map(({ url }) => url);
  }

  /** To be called before those of `who` are killed while calls are made. */
  async prepareRestart(who: Whom): Promise<void> {
    await Promise.all(this.chosen(who).map((backend) => backend.prepareRestart()));
  }

  /** Resolves when all of `who` are in that condition, to when the first of them was (`performance.now()`). */
  async put(who: Whom, condition: Condition): Promise<number> {
    let firstMs = Number.POSITIVE_INFINITY;
    const put = async (backend: Backend): Promise<void> => {
      await backend.put(condition);
      firstMs = Math.min(firstMs, performance.now());
    };
    await Promise.all(this.chosen(who).map(put));
    return firstMs;
  }

  chosen(who: Whom): readonly Backend[] {
    if (who === "all") return this.backends;
    return this.backends.slice(0, 1);
  }

  /** How many requests have reached any of them since they started. */
  async requests(): Promise<number> {
    const counts = await Promise.all(this.backends.map((backend) => backend.requests()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async end(): Promise<void> {
    await Promise.all(this.backends.map((backend) => backend.end()));
  }
}

/** `one` is the same in every step of a scenario. */
export type Whom = "one" | "all";
