// A process under load that is told to end: stops its intake, awaits `close()`, tells what became of its calls, and is
// left with nothing that keeps it alive. Arguments: the URLs of the backends.
import { fairlead } from "fairlead";

const EVERY_MS = 4;

const orders = fairlead({ name: "orders", backends: process.argv.slice(2) });
let made = 0;
let served = 0;
const errors: string[] = [];

async function call(path: string): Promise<void> {
  made++;
  const response = await orders.fetch(path);
  await response.text();
  if (response.ok) served++;
  else errors.push(String(response.status));
}

async function end(): Promise<void> {
  clearInterval(intake);
  const inFlight = made - served;
  await orders.close();
  const left = process.getActiveResourcesInfo().filter((name) => name === "Timeout" || name.startsWith("TCP"));
  console.log(JSON.stringify({ made, served, inFlight, errors, left }));
}

const intake = setInterval(() => {
  call(`/v1/orders/${made}`).catch((error: unknown) => errors.push(String(error)));
  if (made === 50) console.log("ready");
}, EVERY_MS);

process.once("SIGTERM", () => {
  end().catch((error: unknown) => console.log(String(error)));
});
