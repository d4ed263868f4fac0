// A service that answers by calling another one through fairlead, and 503 where that fails.
// Arguments: the URLs of the other service's backends.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fairlead } from "fairlead";
import type { Listening } from "../../src/backends/conditions.ts";

const next = fairlead({ name: "next", backends: process.argv.slice(2) });

async function statusOfNext(): Promise<number> {
  try {
    const { statusCode, body } = await next.request("/");
    await body.dump();
    return statusCode;
  } catch {
    return 503;
  }
}

const server = createServer((_request, response) => {
  statusOfNext().then(
    (status) => response.writeHead(status).end(),
    () => response.destroy(),
  );
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ kind: "listening", port } satisfies Listening);
});
process.on("disconnect", () => process.exit());
