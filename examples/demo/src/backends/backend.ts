// One backend, a process of its own: answers every request after 5 to 10 ms, unless told to misbehave.
// Arguments: port (0: any), seed.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { liveWithParent, type ToBackend, tellParent } from "../messages.ts";
import type { Condition } from "../scenario.ts";
import { seededRandom } from "./seeded-random.ts";

const FASTEST_MS = 5;
const SLOWEST_MS = 10;
const SLOWDOWN = 10;
const BODY = `${JSON.stringify({ order: 7, items: ["rope", "block", "cleat"] })}\n`;

const [port = "0", seed = "0"] = process.argv.slice(2);
const random = seededRandom(Number(seed));
let condition: Condition = "well";

function answer(response: ServerResponse): void {
  const ms = FASTEST_MS + (SLOWEST_MS - FASTEST_MS) * random();
  if (condition === "refusing") response.writeHead(503).end("unavailable\n");
  else setTimeout(() => response.end(BODY), condition === "slow" ? ms * SLOWDOWN : ms);
}

liveWithParent();
process.on("message", (message: ToBackend) => {
  condition = message.condition;
});
const server = createServer((_request, response) => answer(response));
server.listen(Number(port), "127.0.0.1", () => {
  tellParent({ kind: "listening", port: (server.address() as AddressInfo).port });
});
