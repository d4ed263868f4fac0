import * as everything from "fairlead";
import { type Check, equal, ok } from "../check.ts";
import type { Scene } from "../scene.ts";

function open(scene: Scene, ids: readonly string[]): everything.Fairlead {
  const backends = ids.map((id) => scene.backend(id));
  return scene.keep(everything.fairlead({ name: "orders", backends, strategy: everything.first() }));
}

export const umbrella: readonly Check[] = [
  {
    name: "fetches by `fairlead(…).fetch`",
    run: async (scene) => {
      const orders = open(scene, ["busy", "a"]);
      const response = await orders.fetch(`${scene.root}/x`, { method: "PUT", body: "one" });
      const { backend, body } = (await response.json()) as { backend: string; body: string };
      equal([backend, body, response.url], ["a", "one", `http://orders${scene.root}/x`]);
      ok(response instanceof Response, "the answer is the platform's Response");
    },
  },
  {
    name: "names all that is wrong with the options at once",
    run: () => {
      const wrong = { name: "orders", backends: [], strategie: 1 } as unknown as everything.FairleadOptions;
      try {
        everything.fairlead(wrong);
      } catch (error) {
        const { code, problems } = error as everything.FairleadError;
        equal([code, problems.map(({ path }) => path).sort()], ["FAIRLEAD_ERR_CONFIG", ["backends", "strategie"]]);
        return;
      }
      throw new Error("the options were taken");
    },
  },
];
