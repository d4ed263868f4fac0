import { catchLater } from "../telemetry/callbacks.ts";
import type { ConditionOptions } from "./condition-options.ts";
import { HeaderRule } from "./header-rule.ts";
import { HostRule } from "./host-rule.ts";
import { isBelow, prefixOf } from "./path.ts";
import type { RoutableRequest } from "./routable.ts";

/** The conditions of one route. */
export class Conditions {
  readonly #hosts: readonly HostRule[] | undefined;
  /** The longest first. */
  readonly #prefixes: readonly string[] | undefined;
  readonly #methods: readonly string[] | undefined;
  readonly #headers: readonly HeaderRule[];
  readonly #when: ConditionOptions["when"];

  /** @param options are checked */
  constructor({ host, path, method, headers, when }: ConditionOptions) {
    this.#hosts = listOf(host)?.map((text) => new HostRule(text));
    this.#prefixes = listOf(path)
      ?.map(prefixOf)
      .sort((a, b) => b.length - a.length);
    this.#methods = listOf(method)?.map((name) => name.toUpperCase());
    this.#headers = Object.entries(headers ?? {}).map(([name, condition]) => new HeaderRule(name, condition));
    this.#when = when;
  }

  /** Whether it names that host. */
  names(host: string): boolean {
    return this.#hosts?.some((rule) => rule.holds(host)) === true;
  }

  /**
   * The first condition that does not hold; `undefined`: all do.
   *
   * @param path comparable
   */
  refusal(request: RoutableRequest, path: string, failed: (where: string, error: unknown) => void): string | undefined {
    const { host, method } = request;
    if (this.#hosts !== undefined && !this.names(host)) return "host";
    if (this.#prefixes !== undefined && this.prefixOf(path) === undefined) return "path";
    if (this.#methods !== undefined && !this.#methods.includes(method)) return "method";
    for (const rule of this.#headers) if (!rule.holds(request)) return rule.what;
    return this.#when === undefined || ask(this.#when, request, failed) ? undefined : "when";
  }

  /** The longest of its prefixes that the path begins with. */
  prefixOf(path: string): string | undefined {
    if (this.#prefixes === undefined) return "";
    for (const prefix of this.#prefixes) if (isBelow(path, prefix)) return prefix;
    return undefined;
  }
}

function ask(
  when: (request: RoutableRequest) => unknown,
  request: RoutableRequest,
  failed: (where: string, error: unknown) => void,
): boolean {
  try {
    const answer = when(request);
    if (typeof answer === "boolean") return answer;
    catchLater(answer, () => {});
    throw new TypeError(`when must return true or false, not ${typeof answer}`);
  } catch (error) {
    failed("when", error);
    return false;
  }
}

function listOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === "string" ? [value] : value;
}
