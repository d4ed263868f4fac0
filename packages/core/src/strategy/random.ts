import type { Backend } from "../backend.ts";
import { AliasTable } from "./alias-table.ts";
import { drawAdmitting } from "./scan.ts";
import type { Picker, PickRequest, Strategy, View } from "./strategy.ts";

/** Draws again this often when the gate has closed the draw: 8 misses in a row are rare even with half closed (0.4 %). */
const REDRAWS = 8;

/** Random in proportion to weight; every call on its own. */
export function random(): Strategy {
  return { name: "random", build: (view) => new RandomPicker(view) };
}

class RandomPicker implements Picker {
  readonly #view: View;
  readonly #table: AliasTable;

  constructor(view: View) {
    this.#view = view;
    this.#table = new AliasTable(view.weights);
  }

  pick(request: PickRequest, nowMs: number): Backend | undefined {
    const { backends, random: source } = this.#view;
    for (let draw = 0; draw < REDRAWS; draw++) {
      const backend = backends[this.#table.draw(source)];
      if (backend?.admits(request, nowMs) === true) return backend;
    }
    return backends[drawAdmitting(this.#view, request, nowMs)];
  }
}
