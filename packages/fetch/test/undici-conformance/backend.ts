import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";

/** Answers that Node's server can be made to give, by path. */
const ANSWERS: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  "/204": (_request, response) => response.writeHead(204).end(),
  "/205": (_request, response) => response.writeHead(205, { "content-length": 0 }).end(),
  "/301": (_request, response) => response.writeHead(301, { location: "http://elsewhere.test/x" }).end("moved"),
  "/304": (_request, response) => response.writeHead(304, { etag: '"1"' }).end(),
  "/404": (_request, response) => response.writeHead(404, "Gone Fishing").end("no"),
  "/429": (_request, response) => response.writeHead(429, { "retry-after": "120" }).end("less"),
  "/500": (_request, response) => response.writeHead(500).end("broken"),
  "/503": (_request, response) => response.writeHead(503, { "retry-after": "120" }).end("busy"),
  "/599": (_request, response) => response.writeHead(599).end("odd"),
  "/length": (_request, response) => response.writeHead(200, { "content-length": 5 }).end("hello"),
  "/chunks": (_request, response) => {
    for (const word of ["one ", "two ", "three"]) response.write(word);
    response.end();
  },
  "/long": (_request, response) => response.end("x".repeat(300_000)),
  "/trailers": (_request, response) => {
    response.writeHead(200, { trailer: "x-checksum" });
    response.write("body");
    response.addTrailers({ "x-checksum": "42" });
    response.end();
  },
  "/zipped": (_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("plain")),
  "/cookies": (_request, response) => response.writeHead(200, { "set-cookie": ["a=1", "b=2"], "x-empty": "" }).end(),
  "/latin1": (_request, response) => response.writeHead(200, { "x-name": "caf\u00e9" }).end(),
  "/hints": (_request, response) => {
    response.writeEarlyHints({ link: "</style.css>" });
    response.writeProcessing();
    response.end("after hints");
  },
  "/close": (_request, response) => response.writeHead(200, { connection: "close" }).end("bye"),
  "/reset-midway": (request, response) => {
    response.writeHead(200, { "content-length": 100 });
    response.write("ten bytes.");
    setImmediate(() => request.socket.resetAndDestroy());
  },
  "/silent": () => {},
  "/endless": (_request, response) => response.write("never "),
};

/** Answers that no decent server gives. */
const RAW: Readonly<Record<string, string>> = {
  "/raw/204-with-body": "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
  "/raw/1.0": "HTTP/1.0 200 OK\r\n\r\nuntil the end",
  "/raw/short": "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.",
  "/raw/longer": "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nten bytes.",
  "/raw/cut-chunks": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
  "/raw/bad-chunks": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n",
  "/raw/two-lengths": "HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\nx",
  "/raw/length-and-chunks": "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  "/raw/garbage": "what do you want?\r\n\r\n",
  "/raw/nothing": "",
  "/raw/no-status": "HTTP/1.1\r\n\r\n",
  "/raw/switch": "HTTP/1.1 101 Here\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n",
  "/raw/bad-header": "HTTP/1.1 200 OK\r\nbad header: x\r\ncontent-length: 0\r\n\r\n",
  "/raw/huge-head": `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}\r\n\r\n`,
  "/raw/folded": "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
};

export const PATHS: readonly string[] = [...Object.keys(ANSWERS), ...Object.keys(RAW)].filter(
  (path) => path !== "/silent" && path !== "/endless",
);

/** What the request was, unless its path asks for something else. */
export function respond(request: IncomingMessage, response: ServerResponse, body: string): void {
  const { method, url = "", headers } = request;
  const [path = ""] = url.split("?");
  const raw = RAW[path];
  const answer = ANSWERS[path];
  if (raw !== undefined) request.socket.end(raw);
  else if (answer !== undefined) answer(request, response);
  else {
    const { host: _, ...told } = headers;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ method, url, headers: told, body }));
  }
}
