export { BalancedDispatcher, type BalancedDispatcherOptions } from "./dispatcher.ts";
export { type ForwardTransportOptions, forwardTransport } from "./forward-transport.ts";
export { type BalanceOptions, balance } from "./interceptor.ts";
export { type BalancedRequest, type BalancedRequestOptions, createRequest, type RequestOptions } from "./request.ts";
export { type UndiciTransportOptions, undiciTransport } from "./transport.ts";
