export type { Client, Policy, PolicyOptions } from "./clients.ts";
export { type CompareOptions, compare } from "./compare.ts";
export type {
  BackendShare,
  Figures,
  GroupShare,
  Measured,
  Mode,
  PhaseResult,
  SimulationResult,
  Step,
} from "./result.ts";
export type {
  Arrivals,
  BackendGroup,
  Change,
  ColdStart,
  Fault,
  Keys,
  Phase,
  Scenario,
  ServiceTime,
  Targets,
} from "./scenario.ts";
export { scenarios } from "./scenarios.ts";
export { type SimulateOptions, simulate } from "./simulate.ts";
export { formatTable } from "./table.ts";
