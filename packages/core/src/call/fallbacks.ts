import type { Balancer } from "../contract.ts";
import { expected, OptionCheck } from "../options.ts";
import type { FailedCall, Fallback } from "./fallback.ts";

/**
 * Calls that fail are made again over another balancer, with the time that is left: a second region, an older version.
 * Where that fails too, the first failure stands; its own fallback is not asked.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if it is no balancer
 */
export function fallbackTo(balancer: Balancer): Fallback {
  const check = new OptionCheck();
  check.required("balancer", balancer, expected.having<Balancer>("call", "a balancer"));
  check.throwIfAny("fallbackTo");
  return {
    name: `upstream ${balancer.name}`,
    answer: ({ run, options, signal, remainingMs }) => {
      const deadlineMs = remainingMs === Number.POSITIVE_INFINITY ? false : remainingMs;
      // A backend of the one is none of the other, and its turn has come or it would not be here.
      const own = { pinned: undefined, turn: undefined, fallback: false } as const;
      return balancer.call(run, { ...options, ...own, signal, deadlineMs });
    },
  };
}

/**
 * Calls that fail are answered by a function, which throws or rejects where it has no answer.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` if it is no function
 */
export function fallbackWith(answer: (call: FailedCall<unknown>) => unknown): Fallback {
  const check = new OptionCheck();
  check.required("answer", answer, expected.func);
  check.throwIfAny("fallbackWith");
  return { name: "function", answer: answer as Fallback["answer"] };
}
