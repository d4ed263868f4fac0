// An application that never closes its balancer, whose checks are between two rounds and under way: the process ends by itself.
import { createBalancer, functionCheck } from "@fairlead/core";

let checks = 0;
const balancer = createBalancer({
  name: "orders",
  backends: ["http://a.test", "http://b.test", "http://c.test"],
  healthCheck: functionCheck(
    async () => {
      checks++;
      // One never settles.
      if (checks > 3) await new Promise(() => {});
    },
    { intervalMs: 50, timeoutMs: 30_000, initial: "check-first" },
  ),
});
// Waits for the first check.
await balancer.call(async () => {});
// Something else that the process lives for.
await new Promise((resolve) => setTimeout(resolve, 300));
console.log(JSON.stringify({ checked: checks > 3 }));
