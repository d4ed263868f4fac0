import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

/** A backend that tells, compressed, what it has received. */
export interface Backend {
  readonly url: string;
  readonly server: Server;
  /** How many requests it has taken. */
  readonly requests: () => number;
}

export async function startBackend(): Promise<Backend> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url } = request;
      const body = gzipSync(JSON.stringify({ method, url, body: Buffer.concat(chunks).toString() }));
      response.writeHead(url === "/missing" ? 404 : 200, {
        "content-type": "application/json",
        "content-encoding": "gzip",
      });
      response.end(body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, requests: () => requests };
}

export function stopBackend({ server }: Backend): void {
  server.close();
  server.closeAllConnections();
}
