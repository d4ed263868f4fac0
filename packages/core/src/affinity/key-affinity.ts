import { expected, OptionCheck } from "../options.ts";
import type { RoutableRequest } from "../route/routable.ts";
import { catchLater } from "../telemetry/callbacks.ts";
import type { KeyAffinity } from "./affinity.ts";
import { cookieValueAt, nextCookie } from "./cookies.ts";
import { fieldName } from "./field-name.ts";

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
  const header = checkedName("headerAffinity", name).toLowerCase();
  return { kind: "key", name: `header ${header}`, keyOf: (request) => request.header(header) || undefined };
}

/**
 * By the value of a cookie that the application sets itself, such as its session id. Where it has none,
 * `cookieAffinity()` of `@fairlead/fetch` makes one.
 *
 * Others say `hash_policy.cookie` (Envoy), `hash $cookie_name` (nginx), application-based stickiness (ALB).
 *
 * @param name case-sensitive; of several cookies with that name the first counts
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function cookieValueAffinity(name: string): KeyAffinity {
  checkedName("cookieValueAffinity", name);
  return {
    kind: "key",
    name: `cookie ${name}`,
    keyOf: (request) => {
      const field = request.header("cookie");
      const start = field === undefined ? -1 : nextCookie(field, name);
      return field === undefined || start < 0 ? undefined : cookieValueAt(field, start) || undefined;
    },
  };
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

function checkedName(what: string, name: unknown): string {
  const check = new OptionCheck();
  const checked = check.required("name", name, fieldName) ?? "";
  check.throwIfAny(what);
  return checked;
}
