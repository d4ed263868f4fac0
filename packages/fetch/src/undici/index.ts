export type { ConnectionStats } from "./connections/pool.ts";
export type { NameOptions, PoolOptions } from "./connections/pool-options.ts";
export { dnsResolver, type Resolution, type ResolveName, systemResolver } from "./connections/resolvers.ts";
export { BalancedDispatcher, type BalancedDispatcherOptions } from "./dispatcher.ts";
export { type ForwardTransportOptions, forwardTransport } from "./forward-transport.ts";
export { type BalanceOptions, balance } from "./interceptor.ts";
export { connectionStats } from "./pools.ts";
export { type BalancedRequest, type BalancedRequestOptions, createRequest, type RequestOptions } from "./request.ts";
export { type UndiciTransportOptions, undiciTransport } from "./transport.ts";
