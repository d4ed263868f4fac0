import { fairlead } from "fairlead";
import type { BackendFigures } from "../messages.ts";
import type { Caller } from "./caller.ts";

/** fairlead as it comes: no option but the backends. */
export function fairleadCaller(urls: readonly string[]): Caller {
  const orders = fairlead({ name: "orders", backends: urls });
  return {
    call: async (path) => {
      const response = await orders.request(path);
      await response.body.text();
      return response.statusCode;
    },
    figures: () =>
      orders.snapshot().backends.map(
        (backend): BackendFigures => ({
          state: backend.health,
          requests: backend.attempts,
          errors: backend.failures + backend.overloads + backend.unreached,
          inFlight: backend.requests,
          p50: backend.p50Ms,
          p99: backend.p99Ms,
        }),
      ),
    close: () => orders.close(),
  };
}
