// What `fairlead` is in Node.

export {
  type NodeHttpCheckOptions,
  nodeHttpCheck,
  type TcpCheckOptions,
  type TlsCheckOptions,
  tcpCheck,
  tlsCheck,
  type WebSocketCheckOptions,
  webSocketCheck,
} from "@fairlead/core/node";
export {
  createNodeListener,
  type NodeListener,
  type NodeListenerOptions,
  type NodeRequest,
  type NodeResponse,
} from "@fairlead/fetch/node";
export {
  type BackendConnections,
  BalancedDispatcher,
  type BalancedDispatcherOptions,
  type BalancedRequest,
  type BalancedRequestOptions,
  type BalanceOptions,
  balance,
  type ConnectionStats,
  connectionStats,
  createRequest,
  dnsResolver,
  type ForwardTransportOptions,
  forwardTransport,
  type NameOptions,
  type PoolOptions,
  type RequestOptions,
  type Resolution,
  type ResolveName,
  systemResolver,
  type UndiciTransportOptions,
  undiciTransport,
} from "@fairlead/fetch/undici";
export * from "./circuit-breakers.ts";
export { type Fairlead, type FairleadApp, fairlead } from "./fairlead.ts";
export * from "./index.ts";
