// How much the heap grows while as many clients as said come with a session, each with another cookie. Prints bytes.
// Arguments: clients, `cacheSize`.
import { type Clock, createBalancer, type RoutableRequest, systemClock } from "@fairlead/core";
import { cookieAffinity } from "../../src/index.ts";

const [clients, cacheSize] = process.argv.slice(2).map(Number) as [number, number];
const keys = ["3q8Zr0vXn5kWb1tYc7uGm9sLd2hPe6fJ"];
const WARM_UP = 1_000;

let wallMs = Date.UTC(2026, 0, 1);
const clock: Clock = { ...systemClock(), wallNow: () => wallMs };
const backends = Array.from({ length: 20 }, (_, index) => `http://10.0.0.${index + 1}:8080`);
const balancer = createBalancer({ name: "orders", backends, clock });
const affinity = cookieAffinity({ keys, cacheSize });
/** Another process: what it hands out has to be verified here. */
const maker = cookieAffinity({ keys, cacheSize: 1 });

const blank: RoutableRequest = { method: "GET", host: "shop", path: "/", search: "", header: () => undefined };

async function session(client: number): Promise<void> {
  // So late that no cookie is handed out twice.
  wallMs += 3_600_000;
  const home = balancer.backends[client % backends.length];
  if (home === undefined) throw new Error("no backend");
  const setCookie = (await maker.keep(blank, undefined, home, balancer)) ?? "";
  const field = `other=${"x".repeat(8_000)}${client}; ${setCookie.slice(0, setCookie.indexOf(";"))}`;
  const asked: RoutableRequest = { ...blank, header: () => field };
  const found = await affinity.find(asked, balancer);
  if (found !== home.id) throw new Error(`${found} instead of ${home.id}`);
  await balancer.call(async () => {}, { pinned: found, pinPolicy: affinity.pinPolicy });
  await affinity.keep(asked, found, home, balancer);
}

function heap(): number {
  for (let turn = 0; turn < 3; turn++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

for (let client = 0; client < WARM_UP; client++) await session(client);
const before = heap();
for (let client = 0; client < clients; client++) await session(WARM_UP + client);
console.log(JSON.stringify({ grown: heap() - before }));
process.exit();
