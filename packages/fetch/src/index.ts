// For everyone who fetches.

// For those who write a transport.
export { judgeStatus } from "./classify.ts";
export { type BalancedFetch, type BalancedInit, createFetch } from "./create-fetch.ts";
export type { FairleadInit, FetchOptions } from "./options.ts";
export { parseRetryAfter } from "./retry-after.ts";
export type { FetchInput } from "./target.ts";
export type { Transport, TransportInit } from "./transport.ts";
