import type { FunctionBreaker } from "./contract.ts";
import { FunctionCircuit } from "./function-circuit.ts";
import { type CreateBreakerOptions, resolveFunctionOptions } from "./options.ts";

/**
 * Puts a breaker before a function, for those who want a breaker and no balancer: opossum's interface, events and errors
 * on our own counting.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function createBreaker<Args extends unknown[], Result>(
  action: (...args: [...Args, AbortSignal]) => Result,
  options: CreateBreakerOptions<Args> & { readonly passSignal: true },
): FunctionBreaker<Args, Awaited<Result>>;
export function createBreaker<Args extends unknown[], Result>(
  action: (...args: Args) => Result,
  options?: CreateBreakerOptions<Args> & { readonly passSignal?: false | undefined },
): FunctionBreaker<Args, Awaited<Result>>;
export function createBreaker(action: (...args: never) => unknown, options: object = {}): unknown {
  return new FunctionCircuit(action as (...args: unknown[]) => unknown, resolveFunctionOptions(action, options));
}
