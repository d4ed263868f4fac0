import type { BalancerOptions } from "@fairlead/core";
import { deadPort, deafServer, httpServer, httpsServer, type TestServer } from "../support/servers.ts";

/** What a backend does to every request; those who have no server can't count what comes. */
export interface Failure {
  readonly name: string;
  /** Whether the request was sent; `undefined`: the kernel decides. */
  readonly sent: boolean | undefined;
  /** Nothing in the error proves that nothing was sent: only who watches the connection knows. */
  readonly isUnproven?: boolean;
  readonly options?: Partial<BalancerOptions>;
  start(): Promise<{ readonly url: string; readonly received?: readonly string[] }>;
}

const overTls = (server: TestServer) => ({ ...server, url: server.url.replace("http:", "https:") });

export const FAILURES: readonly Failure[] = [
  { name: "connection refused", sent: false, start: async () => ({ url: await deadPort() }) },
  { name: "certificate that nobody trusts", sent: false, start: () => httpsServer() },
  {
    name: "reset in the TLS handshake",
    sent: false,
    isUnproven: true,
    start: async () => overTls(await deafServer((socket) => socket.once("data", () => socket.resetAndDestroy()))),
  },
  {
    name: "reset as soon as it is connected",
    sent: undefined,
    start: () => deafServer((socket) => socket.resetAndDestroy()),
  },
  {
    name: "closed after the request was read",
    sent: true,
    start: () => httpServer((request) => request.socket.destroy()),
  },
  {
    name: "reset after the request was read",
    sent: true,
    start: () => httpServer((request) => request.socket.resetAndDestroy()),
  },
  { name: "503", sent: true, start: () => httpServer((_request, response) => response.writeHead(503).end()) },
  {
    name: "503 with a Retry-After",
    sent: true,
    start: () => httpServer((_request, response) => response.writeHead(503, { "retry-after": "0" }).end()),
  },
  {
    name: "no headers in time",
    sent: true,
    options: { attemptTimeoutMs: 1_000 },
    start: () => httpServer(() => {}),
  },
];
