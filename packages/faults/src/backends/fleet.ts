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

  /** Resolves when all of `who` are in that condition. */
  async put(who: Whom, condition: Condition): Promise<void> {
    await Promise.all(this.chosen(who).map((backend) => backend.put(condition)));
  }

  chosen(who: Whom): readonly Backend[] {
    if (who === "all") return this.backends;
    return who === "one" ? this.backends.slice(0, 1) : this.backends.slice(1);
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

/** `one` is the same in every step of a scenario; `others` are the rest. */
export type Whom = "one" | "others" | "all";
