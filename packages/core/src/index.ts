// For everyone who makes calls.

// Sessions.
export type { Affinity, KeyAffinity, SessionAffinity } from "./affinity/affinity.ts";
export { headerAffinity, keyAffinity } from "./affinity/key-affinity.ts";
export type {
  AdminState,
  Backend,
  BackendSpec,
  LatencyLoad,
  ReportedLoad,
  RequestKind,
  TlsOptions,
} from "./backend.ts";
export { createBalancer } from "./balancer.ts";
export type { AcquireOptions } from "./call/acquire.ts";
export type { AbortListener, Attempt, CallOptions } from "./call/attempt.ts";
export type { Budget, BudgetContext, BudgetProvider } from "./call/budget.ts";
export type { BudgetOptions } from "./call/budget-settings.ts";
export { checkCallOptions } from "./call/check-options.ts";
export type { AttemptResult, Classifier } from "./call/classifier.ts";
export { classifyResult, errorCodeOf } from "./call/classifier.ts";
export { type ConcurrencyBudgetOptions, concurrencyBudget } from "./call/concurrency-budget.ts";
export { DelegatedAttempt } from "./call/delegated-attempt.ts";
export type { FailedCall, Fallback } from "./call/fallback.ts";
export { fallbackTo, fallbackWith } from "./call/fallbacks.ts";
export type { HedgePolicy, Hedging } from "./call/hedge.ts";
export { type HedgingOptions, hedging } from "./call/hedging.ts";
export { type LastGoodOptions, lastGood } from "./call/last-good.ts";
export type { LoadReport, Outcome, Report } from "./call/outcome.ts";
export { type OutcomeRules, outcomeRules } from "./call/outcome-rules.ts";
export type { QueueOptions } from "./call/queue-settings.ts";
export type { FailedAttempt, RetryOptions } from "./call/retry-settings.ts";
export type { CallSignal } from "./call-signal.ts";
export {
  type Clock,
  type LagMeter,
  perCallClock,
  type ScheduleOptions,
  systemClock,
  type Timer,
  wheelClock,
} from "./clock.ts";
// For those who extend: strategies, breakers, discovery, transports.
export type {
  Attachment,
  Balancer,
  BalancerOptions,
  DeriveOptions,
  DrainOptions,
  Lease,
  ReadyOptions,
  ReconfigurableOptions,
} from "./contract.ts";
export type {
  ControlPatch,
  ControlStore,
  Discovery,
  DiscoveryContext,
  DiscoveryUpdate,
} from "./discovery.ts";
export {
  type AttemptRecord,
  FairleadError,
  type FairleadErrorCode,
  type FairleadErrorDetails,
  type LimitName,
  withoutStack,
} from "./errors.ts";
export type { Breaker, BreakerChange, BreakerContext, BreakerProvider, BreakerState } from "./gate/breaker.ts";
export { type Gradient2Options, gradient2 } from "./gate/gradient2.ts";
export type { AdaptiveLimit, ConcurrencyLimit } from "./gate/limit-adaptive.ts";
export type { LimitOptions } from "./gate/limit-settings.ts";
export type { RateLimit, RateSnapshot } from "./gate/rate/rate-gate.ts";
export { type RateLimitOptions, rateLimit } from "./gate/rate/rate-limit.ts";
export type { RateStore } from "./gate/rate/rate-store.ts";
export type { KeyHash } from "./hash/key-hash.ts";
export { murmur3 } from "./hash/murmur3.ts";
export { xxh64 } from "./hash/xxh64.ts";
export type { Check } from "./health/check/check-attempt.ts";
export { functionCheck } from "./health/check/function-check.ts";
export { haproxyTiming } from "./health/check/haproxy-timing.ts";
export type {
  CheckResult,
  CheckTarget,
  HealthCheck,
  HealthCheckContext,
  HealthCheckRun,
  HealthReport,
} from "./health/check/health-check.ts";
export { type HttpCheckOptions, httpCheck } from "./health/check/http-check.ts";
export type { HttpCheckRules } from "./health/check/http-rules.ts";
export { albHealthCheck, cloudflareMonitor } from "./health/check/known-monitors.ts";
export type { CheckSchedule } from "./health/check/schedule.ts";
export type { StatusExpectation } from "./health/check/statuses.ts";
export type { EjectionOptions } from "./health/ejection-settings.ts";
export type { Finding, Health } from "./health/health.ts";
// Passive health.
export type { OutlierDetection } from "./health/outliers/detection.ts";
export type {
  BackendStatistics,
  Detector,
  LatencyStatistics,
  Outlier,
} from "./health/outliers/detector.ts";
export { type FailurePercentageOptions, failurePercentage } from "./health/outliers/failure-percentage.ts";
export type { FailureOrigin, FailureRateOptions } from "./health/outliers/failure-rates.ts";
export { type LatencyOutliersOptions, latencyOutliers } from "./health/outliers/latency-outliers.ts";
export { outlierDetection } from "./health/outliers/outlier-detection.ts";
export type { OutlierDetectionOptions, OutlierDetectionSettings } from "./health/outliers/outlier-settings.ts";
export { type SuccessRateOptions, successRate } from "./health/outliers/success-rate.ts";
export type { SlowStartOptions } from "./health/slow-start-settings.ts";
export type { MembershipOptions } from "./membership/membership-settings.ts";
export { named, within } from "./option-parts.ts";
export { type Expected, expected, OptionCheck, type OptionProblem } from "./options.ts";
export { createRandom, type Random } from "./random.ts";
// Routes.
export type { ConditionOptions } from "./route/condition-options.ts";
export { createRouter } from "./route/create-router.ts";
export type { HeaderCondition } from "./route/header-rule.ts";
export type { RoutableRequest } from "./route/routable.ts";
export type { RouteLimitOptions } from "./route/route-limits.ts";
export type { MirrorOptions, RouteOptions, RouterOptions, RouteShare } from "./route/route-options.ts";
export type {
  RouteCallOptions,
  RouteExplanation,
  RouteMatch,
  Router,
  RouterSnapshot,
  RouteSnapshot,
  Target,
} from "./route/router.ts";
export type { SplitBy } from "./route/split.ts";
export type { Settings } from "./settings.ts";
export { first } from "./strategy/first.ts";
// Strategies.
export type { HashingOptions } from "./strategy/hashing/hashing-options.ts";
export { type MaglevOptions, maglev } from "./strategy/hashing/maglev.ts";
export { type RendezvousOptions, rendezvous } from "./strategy/hashing/rendezvous.ts";
export { type RingHashOptions, ringHash } from "./strategy/hashing/ring-hash.ts";
export { type LeastRequestOptions, leastRequest } from "./strategy/least-request.ts";
export type { LoadColumns } from "./strategy/load/load-table.ts";
export { type PeakEwmaOptions, peakEwma } from "./strategy/peak-ewma.ts";
export { random } from "./strategy/random.ts";
export { parseLoadReport } from "./strategy/reported-load/load-report.ts";
export { type ReportedLoadOptions, reportedLoad } from "./strategy/reported-load/reported-load.ts";
export { roundRobin } from "./strategy/round-robin.ts";
export type { LoadReportSource, Picker, PickRequest, Strategy, View } from "./strategy/strategy.ts";
// For those who watch.
export { catchLater } from "./telemetry/callbacks.ts";
export type { BalancerEvents } from "./telemetry/events.ts";
export type { BackendExplanation, PickExplanation, TierExplanation } from "./telemetry/explain.ts";
export type {
  BackendSnapshot,
  BalancerSnapshot,
  EjectionSnapshot,
  Json,
  TableSnapshot,
  TelemetrySection,
} from "./telemetry/snapshot.ts";
// Which backends are in play.
export { type LabelSubsets, type LabelSubsetsOptions, labelSubsets } from "./view/label-subsets.ts";
export { type RandomSubsetOptions, randomSubset, type Subsetting } from "./view/random-subset.ts";
export { type ZoneAwareOptions, zoneAware } from "./view/zone-aware.ts";
export { type ZoneWeightsOptions, zoneWeights } from "./view/zone-weights.ts";
export type { ZoneCount, ZonePolicy } from "./view/zones.ts";
