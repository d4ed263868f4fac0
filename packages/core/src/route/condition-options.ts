import { type Expected, expected, type OptionCheck } from "../options.ts";
import { type HeaderCondition, headerCondition } from "./header-rule.ts";
import { hostRule } from "./host-rule.ts";
import type { RoutableRequest } from "./routable.ts";

/** What a request must be for a route to take it: all that is named must hold. */
export interface ConditionOptions {
  /**
   * `api.example.com`, `*.example.com` (any name below it, not itself), with a port (`localhost:8080`) or for any; one or
   * a list. Default: every host.
   */
  readonly host?: string | readonly string[] | undefined;
  /** A prefix that ends where a segment does: `/v1` takes `/v1` and `/v1/x`, not `/v10`; one or a list. Default: every path. */
  readonly path?: string | readonly string[] | undefined;
  /** One or a list; HEAD counts by itself. Default: every method. */
  readonly method?: string | readonly string[] | undefined;
  /** By name. Several of the same name are joined by a comma before they are compared. Default: any. */
  readonly headers?: Readonly<Record<string, HeaderCondition>> | undefined;
  /** Asked when all else holds; must return `true` or `false`. One that throws takes no request. */
  readonly when?: ((request: RoutableRequest) => boolean) | undefined;
}

export const CONDITION_KEYS: readonly (keyof ConditionOptions)[] = ["host", "path", "method", "headers", "when"];

/** RFC 9110 §5.6.2: what methods and names of headers are made of. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

export function checkConditions(check: OptionCheck, path: string, input: Record<string, unknown>): void {
  checkList(check, `${path}.host`, input["host"], hostRule);
  checkList(check, `${path}.path`, input["path"], pathText);
  checkList(check, `${path}.method`, input["method"], methodName);
  check.optional(`${path}.when`, input["when"], expected.func);
  const headers = check.optional(`${path}.headers`, input["headers"], headerRecord);
  for (const [name, condition] of Object.entries(headers ?? {}))
    check.required(`${path}.headers.${name}`, condition, headerCondition);
}

/** One of its kind, or a list of at least one. */
function checkList(check: OptionCheck, path: string, value: unknown, wanted: Expected<string>): void {
  if (!Array.isArray(value)) check.optional(path, value, wanted);
  else if (value.length === 0) check.problem(path, value, `${wanted.description}, or a list of such`);
  else for (const [index, item] of value.entries()) check.required(`${path}[${index}]`, item, wanted);
}

export const pathText: Expected<string> = {
  description: "a path that begins with a slash, without query, such as /v1",
  accepts: (value: unknown): value is string => typeof value === "string" && /^\/[^?#\s\\]*$/.test(value),
};

const methodName: Expected<string> = {
  description: "a method such as GET",
  accepts: (value: unknown): value is string => typeof value === "string" && TOKEN.test(value),
};

const headerRecord: Expected<Readonly<Record<string, unknown>>> = {
  description: "an object of conditions by the names of headers",
  accepts: (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).every((name) => TOKEN.test(name)),
};
