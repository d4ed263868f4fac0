import { connect } from "node:net";
import { scheduled } from "../health/check/function-check.ts";
import type { HealthCheck } from "../health/check/health-check.ts";
import { type CheckSchedule, resolveSchedule, SCHEDULE_KEYS } from "../health/check/schedule.ts";
import { expected, OptionCheck } from "../options.ts";
import { addressOf, judged } from "./connection.ts";

export interface TcpCheckOptions extends CheckSchedule {
  /** Default: that of the backend's URL. */
  readonly port?: number | undefined;
}

/**
 * A backend passes if it accepts a connection. That shows that somebody listens, not that he works: the operating system
 * accepts for a process that hangs.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function tcpCheck(options: TcpCheckOptions = {}): HealthCheck {
  const check = new OptionCheck();
  const input = check.record("", options, ["port", ...SCHEDULE_KEYS]) ?? {};
  const port = check.optional("port", input["port"], expected.integer({ min: 1, max: 65_535 }));
  const settings = resolveSchedule(check, input);
  check.throwIfAny("tcpCheck");
  return scheduled("tcpCheck", settings, ({ backend, signal }) =>
    judged(connect(addressOf(backend, port)), "connect", signal, () => ({ passed: true, reason: "connected" })),
  );
}
