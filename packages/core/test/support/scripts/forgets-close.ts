// An application that never closes its balancer: the process ends by itself once its calls have.
import { createBalancer } from "@fairlead/core";

const balancer = createBalancer({ name: "orders", backends: ["http://a.test", "http://b.test"] });
const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });

let served = 0;
for (let call = 0; call < 100; call++) {
  await balancer.call(
    async ({ number }) => {
      if (number === 1 && call % 10 === 0) throw refused;
      served++;
    },
    { idempotent: true },
  );
}
const lease = await balancer.acquire();
lease.settle({ outcome: "success" });
lease.release();
await balancer.drain("a.test:80");
console.log(JSON.stringify({ served }));
