import { type Expected, xxh64 } from "@fairlead/core";

/** Source: RFC 6265 §4.1.1; RFC 9110 §5.6.2, token. */
export const cookieName: Expected<string> = {
  description: "the name of a cookie",
  accepts: (value: unknown): value is string => typeof value === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(value),
};

/** Of its own for each upstream, so that two on one host don't overwrite each other's, and without saying which it is. */
export function defaultCookieName(upstream: string): string {
  const words = new Uint32Array(2);
  xxh64.digest(upstream, 0, words);
  return `fairlead_${(words[0] ?? 0).toString(16).padStart(8, "0")}`;
}
