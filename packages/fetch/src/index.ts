// For everyone who fetches.

// Sessions.
export { type ClientIpAffinityOptions, clientIpAffinity } from "./affinity/client-ip-affinity.ts";
export { cookieAffinity } from "./affinity/cookie-affinity.ts";
export type { CookieAffinityOptions } from "./affinity/cookie-options.ts";
export { cookieValueAffinity } from "./affinity/cookie-value-affinity.ts";
export {
  type AlbAffinityOptions,
  albAffinity,
  type CloudflareAffinityOptions,
  cloudflareAffinity,
  type YarpAffinityOptions,
  yarpAffinity,
} from "./affinity/known-affinities.ts";
export type { BodyFactory, MadeBody } from "./body-factory.ts";
export { judgeStatus } from "./classify.ts";
export { type BalancedFetch, type BalancedInit, createFetch } from "./create-fetch.ts";
export type { Destination } from "./destination.ts";
// For who stands between clients and backends.
export type {
  AccessRecord,
  ClientInfo,
  Forward,
  ForwardOptions,
  TrustRule,
  TunnelAnswer,
  TunnelDestination,
} from "./forward/contract.ts";
export { createForward } from "./forward/create-forward.ts";
export { checkForwardOptions } from "./forward/options.ts";
export { type RedirectToHttpsOptions, redirectToHttps } from "./forward/redirect-to-https.ts";
export type {
  AfterResponseContext,
  BeforeErrorContext,
  BeforeRequestContext,
  BeforeRetryContext,
  FetchHooks,
  HookAttempt,
  HookContext,
} from "./hooks.ts";
export { checkHooks } from "./hooks.ts";
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
