import type { Expected } from "../options.ts";

/** The name of a header or a cookie. Source: RFC 9110 §5.6.2, token. */
export const fieldName: Expected<string> = {
  description: "a name of letters, digits and !#$%&'*+-.^_`|~",
  accepts: (value: unknown): value is string => typeof value === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(value),
};
