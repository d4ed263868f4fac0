// Makes calls every way, keeps connections alive, and never closes anything.
import { createBalancer } from "@fairlead/core";
import { createFetch } from "../../src/index.ts";
import { BalancedDispatcher, createRequest, undiciTransport } from "../../src/undici/index.ts";

const balancer = createBalancer({ name: "orders", backends: [process.argv[2] ?? ""] });
await (await createFetch(balancer)("/")).text();
await (await createFetch(balancer, { fetch: undiciTransport() })("/")).text();
await (await createRequest(balancer)("/")).body.text();
const dispatcher = new BalancedDispatcher(balancer);
await (await fetch("http://orders/", { dispatcher } as RequestInit)).text();
console.log("done");
