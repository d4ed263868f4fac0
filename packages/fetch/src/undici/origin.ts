import type { Destinations } from "../destination.ts";

/** The origin of a request, if it is one of ours. */
export function ourOrigin(destinations: Destinations, target: string | URL | undefined): string | undefined {
  if (target === destinations.origin) return target;
  if (target === undefined || !URL.canParse(target)) return undefined;
  const { origin } = new URL(target);
  return destinations.serves(origin) ? origin : undefined;
}
