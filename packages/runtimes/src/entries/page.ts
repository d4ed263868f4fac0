// Browsers: whoever opens the page calls this.
import { makeReport, type RuntimeReport } from "../report.ts";
import type { Addresses } from "../scene.ts";

declare global {
  var report: (addresses: Addresses) => Promise<RuntimeReport>;
}

globalThis.report = (addresses) => makeReport(addresses, true);
