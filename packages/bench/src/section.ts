import type { Target } from "./measure/target.ts";

/** How much time a run takes: all of it, or just enough to see that everything works. */
export type Thoroughness = "full" | "quick";

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface SectionResult {
  readonly title: string;
  /** How it was measured. */
  readonly method: string;
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
}

export interface Section {
  readonly name: string;
  run(thoroughness: Thoroughness): Promise<SectionResult>;
}
