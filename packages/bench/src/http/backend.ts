// Backends that cost as little as possible, so that the client is what limits: they answer every request with the same
// kilobyte. Requests are small and come one at a time, so the end of one is the end of a chunk. All live in one process:
// on a machine with two cores, several would get into each other's way more than into the client's.
// Argument: how many.

import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

const BODY = "x".repeat(1024);
const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
);
const END = Buffer.from("\r\n\r\n");

function serve(socket: Socket): void {
  socket.on("data", (chunk) => {
    if (chunk.subarray(-END.length).equals(END)) socket.write(ANSWER);
  });
  // The client is free to hang up.
  socket.on("error", () => {});
}

async function listen(): Promise<number> {
  const server = createServer({ noDelay: true }, serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

process.on("disconnect", () => process.exit());
process.send?.(await Promise.all(Array.from({ length: Number(process.argv[2]) }, listen)));
