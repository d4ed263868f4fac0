// For everyone who makes calls.

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
export type { BudgetOptions } from "./call/budget-settings.ts";
export { checkCallOptions } from "./call/check-options.ts";
export type { AttemptResult, Classifier } from "./call/classifier.ts";
export { classifyResult, errorCodeOf } from "./call/classifier.ts";
export type { LoadReport, Outcome, Report } from "./call/outcome.ts";
export type { QueueOptions } from "./call/queue-settings.ts";
export type { RetryOptions } from "./call/retry-settings.ts";
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
  withoutStack,
} from "./errors.ts";
export type { Breaker, BreakerChange, BreakerContext, BreakerProvider, BreakerState } from "./gate/breaker.ts";
export type { KeyHash } from "./hash/key-hash.ts";
export { murmur3 } from "./hash/murmur3.ts";
export { xxh64 } from "./hash/xxh64.ts";
export type { EjectionOptions } from "./health/ejection-settings.ts";
export type { SlowStartOptions } from "./health/slow-start-settings.ts";
export type { MembershipOptions } from "./membership/membership-settings.ts";
export { type Expected, expected, OptionCheck, type OptionProblem } from "./options.ts";
export { createRandom, type Random } from "./random.ts";
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
export type { BalancerEvents } from "./telemetry/events.ts";
export type { BackendExplanation, PickExplanation, TierExplanation } from "./telemetry/explain.ts";
export type {
  BackendSnapshot,
  BalancerSnapshot,
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
