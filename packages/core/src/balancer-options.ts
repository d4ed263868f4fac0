import type { Clock } from "./clock.ts";
import type { BalancerOptions } from "./contract.ts";
import type { Discovery } from "./discovery.ts";
import type { BreakerProvider } from "./gate/breaker.ts";
import { type ResolvedSpec, resolveSpecs } from "./membership/spec.ts";
import { fillIn } from "./option-group.ts";
import { expected, OptionCheck } from "./options.ts";
import type { Random } from "./random.ts";
import {
  BALANCER_KEYS,
  DEFAULT_SHARED_SETTINGS,
  defaultCallSettings,
  resolveCallSettings,
  resolveSharedSettings,
  type Settings,
} from "./settings.ts";
import { urlOf } from "./url.ts";

/** The options of a balancer, checked and complete. */
export interface ResolvedBalancerOptions {
  readonly name: string;
  readonly origin: string;
  readonly source: readonly ResolvedSpec[] | Discovery;
  readonly breaker?: BreakerProvider | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly settings: Settings;
}

const NONE: Pick<BalancerOptions, "breaker" | "clock" | "random"> = {};

/**
 * Checks everything at once.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function resolveBalancerOptions(options: BalancerOptions): ResolvedBalancerOptions {
  const check = new OptionCheck();
  const input = check.record("", options, BALANCER_KEYS) ?? {};
  const name = check.required("name", input["name"], expected.text) ?? "";
  const source = resolveSource(check, input);
  const resolved = {
    name,
    origin: resolveOrigin(check, name, input["origin"]),
    source: source ?? [],
    ...fillIn(check, "", input, NONE, {
      breaker: expected.having<BreakerProvider>("create", "a breaker provider"),
      clock: expected.having<Clock>("schedule", "a clock, such as systemClock()"),
      random: expected.having<Random>("next", "a generator, such as createRandom(seed)"),
    }),
    settings: {
      ...resolveCallSettings(check, input, defaultCallSettings()),
      ...resolveSharedSettings(check, input, DEFAULT_SHARED_SETTINGS),
    },
  };
  check.throwIfAny(name === "" ? "createBalancer" : `createBalancer ${JSON.stringify(name)}`);
  return resolved;
}

function resolveSource(
  check: OptionCheck,
  input: Record<string, unknown>,
): readonly ResolvedSpec[] | Discovery | undefined {
  const { backends, discovery } = input;
  if (backends !== undefined && discovery !== undefined) {
    check.problem("discovery", discovery, "either `backends` or `discovery`, not both");
    return undefined;
  }
  if (discovery !== undefined)
    return check.required(
      "discovery",
      discovery,
      expected.having<Discovery>("watch", "a discovery, with a `watch` method"),
    );
  if (!Array.isArray(backends) || backends.length === 0) {
    check.problem("backends", backends, "a list of at least one backend, or a `discovery`");
    return undefined;
  }
  return resolveSpecs(check, "backends", backends);
}

/** The logical origin of a balancer or router; by default, its name is the host. */
export function resolveOrigin(check: OptionCheck, name: string, value: unknown): string {
  const text = value ?? `http://${name}`;
  const url = typeof text === "string" ? urlOf(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.pathname + url.search + url.hash === "/")
    return url.origin;
  if (value !== undefined) check.problem("origin", value, "an http or https origin such as http://orders");
  else if (name !== "") check.problem("name", name, "a name that can be a host name, or an `origin` beside it");
  return "http://invalid";
}
