import type { Expected } from "../options.ts";
import type { RoutableRequest } from "./routable.ts";

/** What a header must be: that value or one of those, one that the expression finds, there (`true`) or not (`false`). */
export type HeaderCondition = string | readonly string[] | RegExp | boolean;

/** One condition on a header. */
export class HeaderRule {
  /** In words, for explanations. */
  readonly what: string;
  readonly #name: string;
  readonly #condition: HeaderCondition;

  constructor(name: string, condition: HeaderCondition) {
    this.#name = name.toLowerCase();
    this.#condition = condition instanceof RegExp ? stateless(condition) : condition;
    this.what = `header ${this.#name}`;
  }

  holds(request: RoutableRequest): boolean {
    const value = request.header(this.#name);
    const condition = this.#condition;
    if (typeof condition === "boolean") return condition === (value !== undefined);
    if (value === undefined) return false;
    if (typeof condition === "string") return value === condition;
    return condition instanceof RegExp ? condition.test(value) : condition.includes(value);
  }
}

/** A global or sticky expression begins where it has last stopped: a copy without these flags begins at the beginning. */
function stateless({ source, flags }: RegExp): RegExp {
  const sticky = flags.includes("y");
  return new RegExp(sticky ? `^(?:${source})` : source, flags.replace(/[gy]/g, ""));
}

export const headerCondition: Expected<HeaderCondition> = {
  description: "a text, a list of texts, a regular expression, true (it is there) or false (it is not)",
  accepts: (value: unknown): value is HeaderCondition =>
    typeof value === "string" ||
    typeof value === "boolean" ||
    value instanceof RegExp ||
    (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string")),
};
