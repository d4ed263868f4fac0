// A call whose function never settles and keeps nothing alive: its timeout is still awaited, and tells.
import { createBalancer } from "@fairlead/core";

const balancer = createBalancer({ name: "orders", backends: ["http://a.test"], attemptTimeoutMs: 900, retry: false });
balancer
  .call(() => new Promise(() => {}))
  .catch((error: unknown) => {
    console.log(JSON.stringify({ error: (error as { code?: unknown }).code }));
    return balancer.close({ drainMs: 750 });
  })
  .then(() => console.log(JSON.stringify({ closed: true })))
  .catch((error: unknown) => console.log(String(error)));
