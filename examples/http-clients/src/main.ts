import { fairlead } from "fairlead";
import { createAxios } from "./axios.ts";
import { startBackend, stopBackend } from "./backend.ts";
import { createGot } from "./got.ts";
import { createKy } from "./ky.ts";

const CALLS = 30;

interface Client {
  readonly name: string;
  readonly post: () => Promise<unknown>;
  readonly get: () => Promise<unknown>;
}

const [first, second] = [await startBackend(), await startBackend()];
const orders = fairlead({ name: "orders", backends: [first.url, second.url] });
const [axios, got, ky] = [createAxios(orders), createGot(orders), createKy(orders)];

const order = { item: 7 };
const clients: readonly Client[] = [
  { name: "axios", post: async () => axios.post("/v1/orders", order), get: async () => axios.get("/v1/orders/7") },
  { name: "got", post: async () => got.post("v1/orders", { json: order }), get: async () => got("v1/orders/7") },
  { name: "ky", post: async () => ky.post("v1/orders", { json: order }), get: async () => ky("v1/orders/7") },
];

for (const { name, post } of clients) {
  for (let call = 0; call < CALLS; call++) await post();
  console.log(`${name}: ${CALLS} orders placed`);
}
stopBackend(second);
for (const { name, get } of clients) {
  for (let call = 0; call < CALLS; call++) await get();
  console.log(`${name}: ${CALLS} orders read, though one backend is gone`);
}
await orders.close();
stopBackend(first);
