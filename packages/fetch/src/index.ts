// For everyone who fetches.

export type { BodyFactory, MadeBody } from "./body-factory.ts";
export { judgeStatus } from "./classify.ts";
export { type BalancedFetch, type BalancedInit, createFetch } from "./create-fetch.ts";
export type { Destination } from "./destination.ts";
export type {
  AfterResponseContext,
  BeforeErrorContext,
  BeforeRequestContext,
  BeforeRetryContext,
  FetchHooks,
  HookAttempt,
  HookContext,
} from "./hooks.ts";
export type { IdempotencyKey } from "./idempotency-key.ts";
export { fromIncoming, type IncomingCall, type IncomingHeaders } from "./incoming.ts";
export { type LastGoodResponseOptions, lastGoodResponse } from "./last-good-response.ts";
export {
  type ClientOptions,
  checkClientOptions,
  type FairleadInit,
  type FetchInit,
  type FetchOptions,
} from "./options.ts";
export { parseRetryAfter } from "./retry-after.ts";
export type { FetchInput } from "./target.ts";
export type { Transport, TransportInit } from "./transport.ts";
