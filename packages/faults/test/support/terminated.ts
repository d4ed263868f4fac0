// A process under load that is told to end: stops its intake, awaits `close()`, tells what became of its calls, and is
// left with nothing that keeps it alive. Arguments: the URLs of the backends.
import { fairlead } from "fairlead";

const EVERY_MS = 4;

const orders = fairlead({ name: "orders", backends: process.argv.slice(2) });
let made = 0;
let served = 0;
const errors: string[] = [];

function call(path: string): void {
  made++;
  orders
    .fetch(path)
    .then(async (response) => {
      await response.text();
      if (response.ok) served++;
      else errors.push(String(response.status));
    })
    .catch((error: unknown) => errors.push(String(error)));
}

const intake = setInterval(() => {
  call(`/v1/orders/${made}`);
  if (made === 50) console.log("ready");
}, EVERY_MS);

process.once("SIGTERM", () => {
  clearInterval(intake);
  const inFlight = made - served;
  orders.close().then(
    () => {
      const left = process.getActiveResourcesInfo().filter((name) => name === "Timeout" || name.startsWith("TCP"));
      console.log(JSON.stringify({ made, served, inFlight, errors, left }));
    },
    (error: unknown) => console.log(String(error)),
  );
});
