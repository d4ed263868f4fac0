// Keeps connections to a host name alive, one of them idle, and never closes anything.
import { createBalancer } from "@fairlead/core";
import { createRequest } from "../../src/undici/index.ts";

const balancer = createBalancer({ name: "orders", backends: [process.argv[2] ?? ""] });
const request = createRequest(balancer, { pool: { keepAliveTimeout: 60_000 } });
await Promise.all(["/1", "/2", "/3"].map(async (path) => (await request(path)).body.text()));
console.log("done");
