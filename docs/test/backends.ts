import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** The ports that code blocks name. Each stands for a backend that the test starts on a free port. */
const DOCUMENTED_PORTS = [8081, 8082, 8083];

export interface Backends {
  /** Replaces the documented addresses by those of the running backends. */
  rewrite(code: string): string;
  close(): void;
}

/** Backends that answer every request with 200 and what they received, as JSON. */
export async function startBackends(): Promise<Backends> {
  const servers = new Map<number, Server>();
  for (const port of DOCUMENTED_PORTS) {
    const server = createServer((request, response) => void echo(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.set(port, server);
  }
  return {
    rewrite(code) {
      return code.replaceAll(/(?:127\.0\.0\.1|localhost):(\d+)/g, (address, port: string) => {
        const actual = servers.get(Number(port))?.address();
        return typeof actual === "object" && actual !== null ? `127.0.0.1:${actual.port}` : address;
      });
    },
    close() {
      for (const server of servers.values()) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url, headers } = request;
  try {
    const body = (await request.setEncoding("utf8").toArray()).join("");
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ method, url, headers, body }));
  } catch {
    response.destroy(); // the caller went away
  }
}
