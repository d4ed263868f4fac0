import { expected, OptionCheck } from "../../options.ts";
import { scheduled } from "./function-check.ts";
import type { HealthCheck } from "./health-check.ts";
import {
  type Answer,
  askOverHttp,
  type Exchange,
  HTTP_KEYS,
  type HttpCheckRules,
  resolveHttpRules,
} from "./http-rules.ts";
import { resolveSchedule } from "./schedule.ts";

export interface HttpCheckOptions extends HttpCheckRules {
  /** Sends the requests. Default: the `fetch` of the platform. */
  readonly fetch?: typeof fetch | undefined;
}

/**
 * Asks each backend over HTTP, by `fetch`: in every runtime. `fetch` lets nobody set Host or say whom TLS trusts; where the
 * specification of a backend has a `host` or `tls`, use `nodeHttpCheck`.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function httpCheck(options: HttpCheckOptions = {}): HealthCheck {
  const check = new OptionCheck();
  const input = check.record("", options, [...HTTP_KEYS, "fetch"]) ?? {};
  const rules = resolveHttpRules(check, input);
  const settings = resolveSchedule(check, input);
  const send = check.optional("fetch", input["fetch"], expected.func) as typeof fetch | undefined;
  check.throwIfAny("httpCheck");
  return scheduled("httpCheck", settings, ({ backend, signal }) => askOverHttp(rules, backend, exchange(signal, send)));
}

function exchange(signal: AbortSignal, send: typeof fetch = fetch): Exchange {
  return async (url, { method, headers, follows }) => {
    const init: RequestInit = { method, headers, signal, redirect: "manual", credentials: "omit", cache: "no-store" };
    const response = await send(url, init);
    // Browsers don't say where one leads; they follow it themselves, twenty times at most.
    const hidden = follows && response.type === "opaqueredirect";
    return answerOf(hidden ? await send(url, { ...init, redirect: "follow" }) : response);
  };
}

function answerOf(response: Response): Answer {
  const reader = response.body?.getReader();
  return {
    status: response.status,
    location: response.headers.get("location") ?? undefined,
    read: (limit) => (reader === undefined ? Promise.resolve([]) : read(reader, limit)),
    // What comes of it does not matter.
    discard: () => void reader?.cancel().catch(() => {}),
  };
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>, limit: number): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < limit) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    chunks.push(value.subarray(0, limit - length));
    length += value.length;
  }
  reader.cancel().catch(() => {});
  return chunks;
}
