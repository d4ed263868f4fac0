import { type Expected, OptionCheck } from "@fairlead/core";
import type { ClientInfo, TrustRule } from "./contract.ts";
import { checkTrust } from "./options.ts";
import { Trust } from "./trust.ts";

export interface RedirectToHttpsOptions {
  /** 301, 302, 307 or 308. Default: 301 for GET and HEAD, 308 for the others, whose method and body it keeps. */
  readonly status?: 301 | 302 | 307 | 308 | undefined;
  /** Whose word on the client's scheme and host counts, as in `createForward`. Default: nobody's. */
  readonly trust?: TrustRule | undefined;
  /** As it is given to `forward`. Default: nothing is known. */
  readonly client?: ClientInfo | undefined;
}

const STATUSES: readonly unknown[] = [301, 302, 307, 308];

/**
 * Sends clients that have come by http to the same place by https. `undefined`: they have come by https already.
 *
 * It says nothing of HSTS, which browsers ignore where it comes by http (RFC 6797 §8.1).
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function redirectToHttps(request: Request, options: RedirectToHttpsOptions = {}): Response | undefined {
  checkOptions(options);
  const { status, trust, client = {} } = options;
  const { said } = new Trust(trust).clientOf(client, (name) => request.headers.get(name));
  const { protocol, host, pathname, search } = new URL(request.url);
  if ((said.proto ?? client.protocol ?? protocol.slice(0, -1)) === "https") return undefined;
  // A proxy may have named the port that it is http's own.
  const location = `https://${(said.host ?? host).replace(/:80$/, "")}${pathname}${search}`;
  const safe = request.method === "GET" || request.method === "HEAD";
  return new Response(null, { status: status ?? (safe ? 301 : 308), headers: { location } });
}

function checkOptions(options: RedirectToHttpsOptions): void {
  const check = new OptionCheck();
  check.record("", options, ["client", "status", "trust"]);
  check.optional("status", options.status, redirectStatus);
  if (options.trust !== undefined) checkTrust(check, options.trust);
  check.throwIfAny("redirectToHttps");
}

const redirectStatus: Expected<301 | 302 | 307 | 308> = {
  description: "301, 302, 307 or 308",
  accepts: (value: unknown): value is 301 | 302 | 307 | 308 => STATUSES.includes(value),
};
