import type { BackendSet } from "./backends/backend-set.ts";
import { type Condition, WORDS } from "./scenario.ts";

/** All sets of backends, whose same-numbered members share their fate. */
export class Stage {
  readonly conditions: Condition[];
  onEvent: (text: string) => void = () => {};
  readonly #sets: readonly BackendSet[];

  constructor(sets: readonly BackendSet[], size: number) {
    this.#sets = sets;
    this.conditions = Array.from({ length: size }, () => "well");
  }

  async put(backend: number, condition: Condition): Promise<void> {
    await Promise.all(this.#sets.map((set) => set.put(backend, condition)));
    this.conditions[backend] = condition;
    this.onEvent(`backend ${backend + 1} ${WORDS[condition].sentence}`);
  }
}
