import { type Balancer, createBalancer, named, type OptionCheck, within } from "@fairlead/core";
import type { DerivedUpstreamOptions, UpstreamOptions } from "./app-options.ts";
import { standIn } from "./stand-in.ts";
import { type ClientMakers, wire } from "./wire.ts";

const ORIGINAL = "the key of an upstream with backends of its own";

/** Makes those upstreams of an app whose options are right, in the order given. */
export function makeUpstreams<C extends object>(
  check: OptionCheck,
  given: Readonly<Record<string, UpstreamOptions>>,
  underneath: typeof fetch | undefined,
  makersOf: ClientMakers<C>,
): Record<string, Balancer & C> {
  const made: Record<string, (Balancer & C) | undefined> = {};
  const originals = Object.keys(given).filter((key) => !isDerived(given[key]));
  for (const [key, options] of Object.entries(given)) {
    const path = `upstreams.${key}`;
    // Its place; what it is derived from may come after it.
    made[key] = undefined;
    if (check.record(path, options, Object.keys(Object(options))) === undefined || isDerived(options)) continue;
    const own = { ...options, name: options.name ?? key, fetch: options.fetch ?? underneath };
    made[key] = within(check, path, () => wire(own, createBalancer, makersOf));
  }
  for (const [key, options] of Object.entries(given)) {
    if (!isDerived(options)) continue;
    const path = `upstreams.${key}`;
    const { from, ...own } = options;
    const original = named(check, `${path}.from`, from, originals, ORIGINAL);
    const base: Balancer = (original === undefined ? undefined : made[original]) ?? standIn();
    made[key] = within(check, path, () =>
      wire({ ...own, fetch: own.fetch ?? underneath }, (rest) => base.derive(rest), makersOf),
    );
  }
  return made as Record<string, Balancer & C>;
}

function isDerived(options: UpstreamOptions | undefined): options is DerivedUpstreamOptions {
  return typeof options === "object" && options !== null && "from" in options;
}
