import { expected, OptionCheck } from "../options.ts";
import { zoneNumbers } from "./zone-numbers.ts";
import type { ZoneCount, ZonePolicy } from "./zones.ts";

export interface ZoneAwareOptions {
  /** Where this client runs. */
  readonly zone: string;
  /**
   * Clients per zone, in any measure (numbers > 0). Default: as many in each zone that has backends. If most clients are
   * where few backends are, saying so keeps those few from getting all of their calls.
   */
  readonly clients?: Readonly<Record<string, number>> | undefined;
  /** With fewer available backends than this, zones don't matter; whole, ≥ 1. Default 6, as in Envoy. */
  readonly minBackends?: number | undefined;
}

/**
 * Calls stay in the client's own zone as far as it has its share of the backends; what is too much for them goes to the
 * zones that have backends to spare.
 *
 * With the share of clients c and of backends b of each zone: all calls stay if b ≥ c at home. Else b/c of them do, and
 * the rest is divided by `max(0, b − c)` of the others.
 *
 * Source: Envoy `load_balancer_impl.cc` (`regenerateLocalityRoutingStructures`).
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`
 */
export function zoneAware(options: ZoneAwareOptions): ZonePolicy {
  const check = new OptionCheck();
  const input = check.record("", options, ["zone", "clients", "minBackends"]) ?? {};
  const zone = check.required("zone", input["zone"], expected.text) ?? "";
  const clients = check.optional("clients", input["clients"], zoneNumbers);
  const minBackends = check.optional("minBackends", input["minBackends"], expected.integer({ min: 1 })) ?? 6;
  check.throwIfAny("zoneAware");
  return {
    name: "zoneAware",
    shares: (zones) => {
      const available = zones.reduce((sum, count) => sum + count.available, 0);
      return available < minBackends ? undefined : divide(zones, zone, clients, available);
    },
  };
}

function divide(
  zones: readonly ZoneCount[],
  home: string,
  clients: ZoneAwareOptions["clients"],
  available: number,
): readonly number[] | undefined {
  const clientsIn = (zone: string | undefined): number =>
    clients === undefined ? 1 : zone === undefined ? 0 : (clients[zone] ?? 0);
  const allClients = zones.reduce((sum, { zone }) => sum + clientsIn(zone), 0);
  const ofClients = zones.map(({ zone }) => (allClients === 0 ? 0 : clientsIn(zone) / allClients));
  const ofBackends = zones.map((count) => count.available / available);
  const local = zones.findIndex(({ zone }) => zone === home);
  const stays = local < 0 ? 0 : Math.min(1, ratio(ofBackends[local] ?? 0, ofClients[local] ?? 0));
  const spare = zones.map((_, index) =>
    index === local ? 0 : Math.max(0, (ofBackends[index] ?? 0) - (ofClients[index] ?? 0)),
  );
  const allSpare = spare.reduce((sum, value) => sum + value, 0);
  // Rounding apart, nobody has to spare only where nobody lacks anything.
  if (allSpare === 0) return stays === 1 ? zones.map((_, index) => (index === local ? 1 : 0)) : undefined;
  return spare.map((value, index) => (index === local ? stays : ((1 - stays) * value) / allSpare));
}

/** Without clients where the backends are, these can take all calls. */
function ratio(backends: number, clients: number): number {
  return clients === 0 ? (backends > 0 ? 1 : 0) : backends / clients;
}
