import type { Member } from "../../membership/member.ts";
import type { OutlierDetectionSettings } from "./outlier-settings.ts";

/** How many of the backends may be out at once; counted once for all that are found at the same time. */
export class EjectionCap {
  readonly #settings: OutlierDetectionSettings;
  #total = 0;
  #out = 0;

  constructor(members: readonly Member[], settings: OutlierDetectionSettings) {
    this.#settings = settings;
    // Without a limit, nobody need be counted.
    if (settings.maxEjectionPercent < 100) for (const member of members) this.#count(member);
  }

  #count({ gone, ejection }: Member): void {
    if (gone) return;
    this.#total++;
    // On probation after an ejection it has no more than a single attempt at a time, so it is out as well.
    if (ejection.reason !== undefined) this.#out++;
  }

  /**
   * Whether one more may go.
   *
   * Sources: Envoy `outlier_detection_impl.cc` (`ejectHost`): 100 · (out + 1) / all ≤ limit; gRFC A50, as implemented:
   * 100 · out / all < limit.
   */
  get free(): boolean {
    const { maxEjectionPercent, maxEjectionReading, alwaysEjectOne } = this.#settings;
    if (maxEjectionPercent >= 100 || (alwaysEjectOne && this.#out === 0)) return true;
    const most = maxEjectionPercent * this.#total;
    return maxEjectionReading === "grpc" ? 100 * this.#out < most : 100 * (this.#out + 1) <= most;
  }

  /** One more has gone. */
  take(): void {
    this.#out++;
  }
}
