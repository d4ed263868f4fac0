// How much more memory a process has while it streams a long body through `forward`.
// Arguments: origin of the backend, direction, bytes.
import { createBalancer } from "@fairlead/core";
import { forwardTransport } from "@fairlead/fetch/undici";
import { MB } from "./bodies.ts";
import { throughForward } from "./variants.ts";

const WARM_UP = 64 * MB;
const SAMPLE_MS = 5;

const [origin = "", direction = "", bytes = ""] = process.argv.slice(2);
const balancer = createBalancer({ name: "bench", backends: [origin] });
const move = throughForward(balancer, forwardTransport())[direction === "upload" ? "upload" : "download"];

await move(WARM_UP);
globalThis.gc?.();
const before = process.memoryUsage.rss();
let peak = before;
const sampling = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss());
}, SAMPLE_MS);
const moved = await move(Number(bytes));
clearInterval(sampling);
if (moved !== Number(bytes)) throw new Error(`${moved} of ${bytes} bytes have arrived`);
process.send?.((Math.max(peak, process.memoryUsage.rss()) - before) / MB);
