// A backend that sends as many bytes as the path of a GET says, counts those of a POST, and answers anything else at once.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CHUNK, chunks } from "./bodies.ts";

function serve(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === "POST") count(request, response);
  else {
    const bytes = Number(request.url?.slice(1));
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes });
    if (bytes <= CHUNK.byteLength) response.end(CHUNK.subarray(0, bytes));
    // The client is free to hang up.
    else pipeline(Readable.from(chunks(bytes)), response).catch(() => {});
  }
}

function count(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
  });
  request.on("end", () => response.end(String(bytes)));
}

const server = createServer({ noDelay: true }, serve).listen(0, "127.0.0.1");
await once(server, "listening");
process.on("disconnect", () => process.exit());
process.send?.((server.address() as AddressInfo).port);
