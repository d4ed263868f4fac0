// The same over a discovery that has failed for good and is tried again and again.
import { createBalancer } from "@fairlead/core";

let watches = 0;
const balancer = createBalancer({
  name: "orders",
  discovery: {
    name: "flaky",
    async *watch() {
      watches++;
      if (watches === 1) yield { backends: [{ url: "http://a.test" }] };
      throw new Error("down");
    },
  },
});
await balancer.ready();
const served = await balancer.call(async ({ backend }) => backend.id);
console.log(JSON.stringify({ served }));
