import type { Backend } from "../backend.ts";
import type { Picker, PickRequest, Strategy, View } from "./strategy.ts";

/** Active-passive: the first backend of the set that takes the call; the others stand by in their order. */
export function first(): Strategy {
  return { name: "first", build: (view) => new FirstPicker(view) };
}

class FirstPicker implements Picker {
  readonly #backends: readonly Backend[];

  constructor({ backends }: View) {
    this.#backends = backends;
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    for (const backend of this.#backends) if (backend.admits(request, nowMs)) return backend;
    return undefined;
  }

  peek(request: PickRequest, nowMs: number): Backend | undefined {
    return this.pick(request, nowMs);
  }
}
