// Nothing but the back-off of a call, and then the wait for a pause to end, keep this process alive.
import { createBalancer } from "@fairlead/core";

const balancer = createBalancer({
  name: "orders",
  backends: ["http://a.test"],
  random: { next: () => 0.999 },
  retry: { limit: 2, delayMs: 150, backoffLimitMs: 1_500 },
  queue: { timeoutMs: 5_000 },
});
balancer
  .call(
    async ({ number }) => {
      if (number < 3) throw new Error("not yet");
      return number;
    },
    { idempotent: true },
  )
  .then((attempts) => {
    console.log(JSON.stringify({ attempts }));
    balancer.observe("a.test:80", { outcome: "overload", retryAfterMs: 200 });
    return balancer.call(async () => console.log(JSON.stringify({ waited: true })));
  })
  .catch((error: unknown) => {
    console.log(String(error));
    process.exitCode = 1;
  });
