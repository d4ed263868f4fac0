import { type Expected, expected, OptionCheck } from "../options.ts";
import type { RoutableRequest } from "../route/routable.ts";
import { catchLater } from "../telemetry/callbacks.ts";
import type { KeyAffinity } from "./affinity.ts";

/**
 * By the value of a header, such as a session or tenant id; requests without it, or with an empty one, belong to no
 * session.
 *
 * Others say `balance hdr(name)` (HAProxy), `hash_policy.header` (Envoy), `hash $http_name` (nginx).
 *
 * @param name in any case
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function headerAffinity(name: string): KeyAffinity {
  const check = new OptionCheck();
  const header = (check.required("name", name, headerName) ?? "").toLowerCase();
  check.throwIfAny("headerAffinity");
  return { kind: "key", name: `header ${header}`, keyOf: (request) => request.header(header) || undefined };
}

/**
 * By what a function makes of a request: a part of its path or query, a claim of a token. A request for which it returns
 * `undefined` or an empty text belongs to no session. So does one for which it throws or returns something else: the call
 * goes on, and `callbackFailed` tells.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function keyAffinity(keyOf: (request: RoutableRequest) => string | undefined): KeyAffinity {
  const check = new OptionCheck();
  check.required("keyOf", keyOf, expected.func);
  check.throwIfAny("keyAffinity");
  return {
    kind: "key",
    name: "key",
    keyOf: (request) => {
      const key: unknown = keyOf(request);
      if (key === undefined || typeof key === "string") return key || undefined;
      catchLater(key, () => {});
      throw new TypeError("the function of keyAffinity must return a text or undefined");
    },
  };
}

/** Source: RFC 9110 §5.6.2, token. */
const headerName: Expected<string> = {
  description: "the name of a header",
  accepts: (value: unknown): value is string => typeof value === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(value),
};
