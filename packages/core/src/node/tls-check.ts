import { connect, type TLSSocket } from "node:tls";
import type { Backend } from "../backend.ts";
import { scheduled } from "../health/check/function-check.ts";
import type { HealthCheck } from "../health/check/health-check.ts";
import { type CheckSchedule, resolveSchedule, SCHEDULE_KEYS } from "../health/check/schedule.ts";
import type { Finding } from "../health/health.ts";
import { expected, OptionCheck } from "../options.ts";
import { addressOf, expiryOf, judged, tlsOptionsOf } from "./connection.ts";

export interface TlsCheckOptions extends CheckSchedule {
  /** Default: that of the backend's URL. */
  readonly port?: number | undefined;
}

/**
 * A backend passes if a TLS handshake succeeds and its certificate holds, by the `tls` and `host` of its specification. When
 * the certificate ends is seen in the snapshot (`certificateExpiresAt`), also if it has ended.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function tlsCheck(options: TlsCheckOptions = {}): HealthCheck {
  const check = new OptionCheck();
  const input = check.record("", options, ["port", ...SCHEDULE_KEYS]) ?? {};
  const port = check.optional("port", input["port"], expected.integer({ min: 1, max: 65_535 }));
  const settings = resolveSchedule(check, input);
  check.throwIfAny("tlsCheck");
  return scheduled("tlsCheck", settings, ({ backend, signal }) => shakeHands(backend, port, signal));
}

function shakeHands(backend: Backend, port: number | undefined, signal: AbortSignal): Promise<Finding> {
  const { rejectUnauthorized, ...options } = tlsOptionsOf(backend, undefined);
  // Nothing is sent, so that a bad certificate may be looked at before it is refused below.
  const socket = connect({ ...addressOf(backend, port), ...options, rejectUnauthorized: false });
  return judged<TLSSocket>(socket, "secureConnect", signal, () => {
    const passed = socket.authorized || rejectUnauthorized === false;
    // A code, whatever its type says.
    const reason = passed ? (socket.getProtocol() ?? "TLS") : String(socket.authorizationError);
    return { passed, reason, certificateExpiresAt: expiryOf(socket) };
  });
}
