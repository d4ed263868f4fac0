import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { deadPort, echo, httpServer } from "./support/servers.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const nodes = [
  { name: "Node 22", path: here("./node-versions/node_modules/node22/bin/node") },
  { name: "Node 24", path: here("../../../node_modules/node/bin/node") },
  { name: "Node 26", path: here("./node-versions/node_modules/node26/bin/node") },
];

const undicis = ["7", "8"];

const DEADLINE_MS = 30_000;

async function seenBy(node: string, undici: string): Promise<Record<string, unknown>> {
  const good = await httpServer((request, response, body) => {
    if (request.url === "/redirect") {
      // A backend that names itself means the service.
      response.writeHead(302, { location: `http://${request.headers.host}/after` }).end();
    } else if (request.url === "/gzip") {
      response.writeHead(200, { "content-encoding": "gzip", "content-type": "application/json" });
      response.end(gzipSync(JSON.stringify({ zipped: true })));
    } else if (request.url === "/endless") {
      response.write("never ");
    } else echo(request, response, body);
  });
  good.server.on("upgrade", (_request, socket) => {
    socket.write("HTTP/1.1 101 Here\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    socket.pipe(socket);
  });
  const elsewhere = await httpServer();
  const child = fileURLToPath(new URL("./matrix/child.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(
    node,
    ["--no-warnings", "--conditions=@fairlead/source", child, undici, await deadPort(), good.url, elsewhere.url],
    { timeout: DEADLINE_MS },
  );
  return JSON.parse(stdout) as Record<string, unknown>;
}

for (const node of nodes) {
  for (const undici of undicis) {
    describe(`${node.name} with undici ${undici}`, () => {
      test(
        "balances every fetch and request, and leaves other origins alone",
        async () => {
          const seen = await seenBy(node.path, undici);
          const things = { method: "POST", url: "/things", body: "one" };
          const routed = ["routed", "routed plainly", "routed dispatcher"];
          for (const way of ["transport", "dispatcher", "undici.fetch", "composed", "global", ...routed]) {
            const shown = routed.includes(way) ? "http://gateway/shop" : "http://orders";
            expect(seen).toMatchObject({
              [`${way} GET`]: {
                shown: `${shown}/things?a=1`,
                redirected: false,
                url: "/things?a=1",
                type: "application/json",
              },
              [`${way} POST`]: { ...things, status: 200 },
              [`${way} stream`]: { ...things, body: "one two", status: 200 },
              [`${way} redirect`]: { shown: `${shown}/after`, redirected: true, url: "/after", status: 200 },
              [`${way} gzip`]: { zipped: true },
              [`${way} abort`]: true,
              [`${way} in flight`]: 0,
              [`${way} requeued`]: true,
            });
          }
          expect(seen).toMatchObject({
            upgrade: "hello",
            close: { shown: "http://orders/things", status: 200, url: "/things" },
            closed: "UND_ERR_DESTROYED",
            "request POST": { ...things, status: 200 },
            "request in flight": 0,
            "global elsewhere": { method: "POST", url: "/there", body: "one" },
            "global request elsewhere": { method: "POST", url: "/there", body: "one" },
          });
        },
        DEADLINE_MS,
      );
    });
  }
}
