// A slow backend in a process of its own: takes 30 ms per request, and tells what it has seen under /seen.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const SERVICE_MS = 30;

let underWay = 0;
let most = 0;
let answered = 0;

const server = createServer((request, response) => {
  if (request.url === "/seen") {
    response.end(JSON.stringify({ most, answered }));
    return;
  }
  most = Math.max(most, ++underWay);
  setTimeout(() => {
    underWay--;
    answered++;
    response.end("served");
  }, SERVICE_MS);
});

server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
// Ends with the process that started it.
process.stdin.on("end", () => process.exit());
process.stdin.resume();
