import { type KeyAffinity, OptionCheck } from "@fairlead/core";
import { cookieName } from "./cookie-name.ts";
import { cookieValueAt, nextCookie } from "./cookies.ts";

/**
 * By the value of a cookie that the application sets itself, such as its session id. Where it has none,
 * `cookieAffinity()` makes one.
 *
 * Others say `hash_policy.cookie` (Envoy), `hash $cookie_name` (nginx), application-based stickiness (ALB).
 *
 * @param name case-sensitive; of several cookies with that name the first counts
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function cookieValueAffinity(name: string): KeyAffinity {
  const check = new OptionCheck();
  check.required("name", name, cookieName);
  check.throwIfAny("cookieValueAffinity");
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
