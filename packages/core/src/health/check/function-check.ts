import { OptionCheck } from "../../options.ts";
import type { Check, Probe } from "./check-attempt.ts";
import { CheckRun } from "./check-run.ts";
import type { HealthCheck } from "./health-check.ts";
import { type CheckSchedule, type CheckScheduleSettings, resolveSchedule, SCHEDULE_KEYS } from "./schedule.ts";

/**
 * A health check of your own: the backend passes if the function's promise resolves, unless to `false`, and fails if it
 * rejects or is late. The function should end when `signal` is aborted.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function functionCheck(run: (check: Check) => Promise<unknown>, schedule: CheckSchedule = {}): HealthCheck {
  const check = new OptionCheck();
  if (typeof run !== "function") check.problem("run", run, "a function that checks one backend");
  const settings = resolveSchedule(check, check.record("", schedule, SCHEDULE_KEYS) ?? {});
  check.throwIfAny("functionCheck");
  return scheduled("functionCheck", settings, async (of) => {
    const answer = await run(of);
    return answer === false ? { passed: false, reason: "false" } : { passed: true, reason: "ok" };
  });
}

/** Any probe as a health check. Where the clock has no background timers nothing is checked. */
export function scheduled(name: string, settings: CheckScheduleSettings, probe: Probe): HealthCheck {
  return {
    name,
    start: (context) => (context.clock.background === false ? undefined : new CheckRun(context, probe, settings)),
  };
}
