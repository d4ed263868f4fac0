import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";

/** A request as the server got it, without what differs from connection to connection. */
export interface Seen {
  readonly request: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const OF_CONNECTIONS = new Set(["host", "connection", "keep-alive"]);

/** A server that is asked by bare and by balanced `fetch`es alike. */
export class ConformanceServer {
  readonly #server: Server;
  #seen: Seen[] = [];
  /** Requests whose answers have not ended. */
  #open = 0;
  #arrival: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor() {
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  async start(): Promise<void> {
    const listening = new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    await listening;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get open(): number {
    return this.#open;
  }

  /** What came since the last time. */
  take(): readonly Seen[] {
    const seen = this.#seen;
    this.#seen = [];
    this.#arrival = Promise.withResolvers();
    return seen;
  }

  /** Resolves when the head of a request has come. */
  get arrival(): Promise<void> {
    return this.#arrival.promise;
  }

  onArrival(listener: () => void): void {
    this.#arrival.promise.then(listener, listener);
  }

  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Whatever was sent before has arrived. */
  async settle(): Promise<void> {
    await (await fetch(`${this.url}/settled`)).text();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === "/settled") {
      response.end();
      return;
    }
    this.#open++;
    response.on("close", () => this.#open--);
    const index = this.#seen.push({
      request: `${request.method} ${request.url}`,
      headers: headersOf(request),
      body: "",
    });
    const seen = this.#seen;
    this.#arrival.resolve();
    const url = new URL(request.url ?? "/", "http://host");
    const early = EARLY[url.pathname];
    if (early !== undefined) early(request, response);
    const chunks: Buffer[] = [];
    request.on("error", () => {});
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const entry = seen[index - 1];
      if (entry !== undefined) seen[index - 1] = { ...entry, body: Buffer.concat(chunks).toString("latin1") };
      if (early === undefined) (ANSWERS[url.pathname] ?? answerPath)(response, url);
    });
  }
}

function headersOf({ rawHeaders }: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? "";
    if (!OF_CONNECTIONS.has(name)) headers[name] = [headers[name] ?? [], rawHeaders[at + 1]].flat().join("; ");
  }
  return headers;
}

/** What is answered before the body has come, or never. */
const EARLY: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  "/hang": () => {},
  "/reset": (request) => request.socket.destroy(),
  "/early": (_request, response) => response.writeHead(413).end("too much"),
  "/stream": (_request, response) => response.writeHead(200, { "content-type": "text/plain" }).write("some of it"),
  "/cut": (_request, response) => {
    response.writeHead(200, { "content-length": "100" }).write("some of it");
    setTimeout(() => response.destroy(), 20);
  },
  "/nonsense": (request) => request.socket.end("what?\r\n\r\n"),
};

type Answer = (response: ServerResponse, url: URL) => void;

const compressed = (encoding: string, body: Buffer): Answer => {
  return (response) => response.writeHead(200, { "content-encoding": encoding }).end(body);
};

const ANSWERS: Record<string, Answer> = {
  "/gzip": compressed("gzip", gzipSync("squeezed")),
  "/br": compressed("br", brotliCompressSync("squeezed")),
  "/deflate": compressed("deflate", deflateSync("squeezed")),
  "/zstd": compressed("zstd", zstdCompressSync("squeezed")),
  "/twice": compressed("gzip, br", brotliCompressSync(gzipSync("squeezed"))),
  "/unknown-coding": compressed("rot13", Buffer.from("fdhrrmrq")),
  "/bad-gzip": compressed("gzip", Buffer.from("not squeezed")),
  "/many-codings": compressed("gzip, gzip, gzip, gzip, gzip, gzip", Buffer.from("x")),
  "/empty": (response) => response.end(),
  "/zero": (response) => response.writeHead(200, { "content-length": "0" }).end(),
  "/long": (response) => response.end("x".repeat(300_000)),
  "/bytes": (response) => response.end(Buffer.from([0, 255, 128, 10])),
  "/json": (response) => response.writeHead(200, { "content-type": "application/json" }).end('{"a":[1,"é"]}'),
  "/bom": (response) => response.end("\ufeffhello"),
  "/form": (response) => {
    response.writeHead(200, { "content-type": "application/x-www-form-urlencoded" }).end("a=1&a=2&b=%20");
  },
  "/multipart": (response) => {
    const body = '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n';
    response.writeHead(200, { "content-type": "multipart/form-data; boundary=x" }).end(body);
  },
  "/cookies": (response) => response.writeHead(200, { "set-cookie": ["a=1; Path=/", "b=2", "a=1; Path=/"] }).end("ok"),
  "/headers": (response) => response.writeHead(200, { "x-a": ["1", "2"], "X-Latin": "caf\xe9", "x-empty": "" }).end(),
  "/trailers": (response) => {
    if (response.req.method !== "HEAD") {
      response.writeHead(200, { trailer: "x-sum" }).write("body");
      response.addTrailers({ "x-sum": "1" });
    }
    response.end();
  },
  "/early-hints": (response) => response.writeEarlyHints({ link: "</a>; rel=preload" }, () => response.end("ok")),
  "/processing": (response) => {
    response.writeProcessing();
    response.end("ok");
  },
  "/said": (response) => response.writeHead(200, "Fine \xa1").end("ok"),
  "/no-location": (response) => response.writeHead(302).end("nowhere"),
  "/utf8-location": (response) => {
    response.writeHead(302, { location: Buffer.from("/é?ü", "utf8").toString("latin1") }).end();
  },
  "/gzip-redirect": (response) => {
    response.writeHead(302, { location: "/after", "content-encoding": "gzip" }).end("not squeezed");
  },
  "/two-locations": (response) =>
    response
      .writeHead(302, [
        ["location", "/a"],
        ["location", "/b"],
      ] as never)
      .end(),
  // The platform resolves them against what was asked for.
  "/endless": (response) => response.writeHead(302, { location: "/endless" }).end(),
};

/** `/status/404`, `/to?status=…&location=…`, `/chain/3`: three redirects; everything else is fine. */
function answerPath(response: ServerResponse, { pathname, searchParams }: URL): void {
  const [, what, value] = pathname.split("/");
  if (what === "status") response.writeHead(Number(value)).end(Number(value) === 304 ? undefined : "body");
  else if (what === "to" && searchParams.has("status")) {
    const location = searchParams.get("location") ?? "";
    response.writeHead(Number(searchParams.get("status")), { location }).end("moved");
  } else if (what === "chain" && Number(value) > 0) {
    response.writeHead(302, { location: `/chain/${Number(value) - 1}` }).end("on");
  } else response.writeHead(200, { "content-type": "text/plain", "x-path": encodeURI(pathname) }).end("hello");
}
