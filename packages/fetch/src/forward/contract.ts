import type { Affinity, Attempt } from "@fairlead/core";
import type { ClientOptions } from "../options.ts";
import type { Transport } from "../transport.ts";

/** Whoever has sent a request, as the server knows it. */
export interface ClientInfo {
  /** The address of the peer: of the socket, not of a header. */
  readonly ip?: string | undefined;
  /** What the client has used. Default: that of the request's URL. */
  readonly protocol?: "http" | "https" | undefined;
}

/**
 * Whose word on the client's address counts: so many proxies before us (`hops`, counted from the right), proxies at known
 * addresses (`proxies`, addresses or CIDRs), or the header of a platform that always sets it (`header`).
 */
export type TrustRule =
  | { readonly hops: number }
  | { readonly proxies: readonly string[] }
  | { readonly header: "cf-connecting-ip" | "true-client-ip" | "x-real-ip" | "fly-client-ip" };

/** What holds for every request that is forwarded. */
export interface ForwardOptions extends Omit<ClientOptions, "affinity"> {
  /** Makes the requests. Default: the platform's `fetch`, looked up at each call; in Node `undiciTransport()` is better. */
  readonly fetch?: Transport | undefined;
  /** Keeps clients on their backend: `cookieAffinity({ … })`, `clientIpAffinity()`… That of a route goes before. Default: none. */
  readonly affinity?: Affinity | undefined;
  /** Default: nobody's; what clients say of themselves is removed. */
  readonly trust?: TrustRule | undefined;
  /** Which headers tell the backend of the client: `X-Forwarded-*` (default), `Forwarded` (RFC 7239), both or none. */
  readonly forwardedHeaders?: "x-forwarded" | "forwarded" | "both" | "none" | undefined;
  /** The header with the request's id: one that comes from a trusted proxy is kept, else one is made. `false`: none. Default `x-request-id`. */
  readonly requestIdHeader?: string | false | undefined;
  /** Whose Host header backends get: the `host` or the address of the backend (default), or the client's. */
  readonly host?: "backend" | "client" | undefined;
  /** Requests and tunnels that one client may have open; its key is the IPv4 address or the IPv6 /64. Default: no limit. */
  readonly maxConnectionsPerClient?: number | undefined;
  /** Milliseconds without a byte in either direction after which a tunnel (a WebSocket) is closed. Default 3,600,000. */
  readonly tunnelIdleTimeoutMs?: number | false | undefined;
  /**
   * Heeds what requests say of their caller (see `fromIncoming`): one that is a retry is not retried once more, and the time
   * that the caller has left shortens the deadline. `true`: of all; default `trusted`: of trusted peers, because whoever
   * leaves too little time makes backends look slow.
   */
  readonly fromIncoming?: "trusted" | boolean | undefined;
  /** The name to give in `Via`, both ways; a request that has it already goes round in circles, and ends as 508. Default `false`. */
  readonly via?: string | false | undefined;
  /** The most headers that a request may have; whole, ≥ 1. More are a 431. Default 100. */
  readonly maxHeaders?: number | undefined;
  /** The most bytes of their names and values; whole, ≥ 1. More are a 431. Default 65,536. */
  readonly maxHeaderBytes?: number | undefined;
  /**
   * What the client gets in place of our 4xx or 5xx; `undefined`: that. `error`: a `FairleadError`, what a transport has thrown,
   * or an `Error` with a `status` for a request that is refused for what it is. Default: ours.
   */
  readonly onError?: ((error: unknown, request: Request) => Response | undefined) | undefined;
  /** Told of each request when its response has ended. Default: nobody is. */
  readonly accessLog?: ((record: AccessRecord) => void) | undefined;
}

/** One forwarded request, for a log. */
export interface AccessRecord {
  /** Epoch milliseconds at which it came. */
  readonly startedAt: number;
  readonly method: string;
  /** Without query: that may hold secrets. */
  readonly path: string;
  readonly host: string;
  readonly clientIp: string | undefined;
  readonly requestId: string | undefined;
  readonly upstream: string | undefined;
  readonly route: string | undefined;
  /** Id of the backend whose answer it was; `undefined`: none answered. */
  readonly backend: string | undefined;
  /** What the client got; 499: it has left before. */
  readonly status: number;
  /** Attempts that were made. */
  readonly attempts: number;
  /** Milliseconds to the response headers, and to the end of the body. */
  readonly headersMs: number;
  readonly totalMs: number;
  /** Why there was no answer, or why it broke off: an error code. */
  readonly errorCode: string | undefined;
  readonly tunnel: boolean;
}

/** Where a tunnel leads. */
export interface TunnelDestination {
  /** Of the backend. */
  readonly url: string;
  /** What the backend is to be told, hop-by-hop headers and Host included as they must be sent. */
  readonly headers: Headers;
  readonly idleTimeoutMs: number | false;
}

/** What a backend has said to an upgrade. */
export interface TunnelAnswer {
  readonly status: number;
  /** What the client will be told: the cookie of its session, the request's id and the like are added. */
  readonly headers?: Headers | undefined;
}

/** Takes requests of clients to backends. */
export interface Forward {
  /** Never rejects for what a backend does: what can't be answered is a 4xx or 5xx. Rejects with the client's abort. */
  (request: Request, client?: ClientInfo): Promise<Response>;
  /**
   * For adapters of servers that hand over sockets: an upgrade, by the same rules. `open` makes one attempt and holds it
   * until the tunnel ends; `discard` lets go of an answer that nobody wants.
   */
  tunnel<T extends TunnelAnswer>(
    request: Request,
    client: ClientInfo,
    open: (attempt: Attempt, destination: TunnelDestination) => Promise<T>,
    discard: (answer: T) => void,
  ): Promise<T | Response>;
}
