import { type IncomingMessage, request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import type { Backend } from "../backend.ts";
import { scheduled } from "../health/check/function-check.ts";
import type { HealthCheck } from "../health/check/health-check.ts";
import {
  type Answer,
  askOverHttp,
  type Exchange,
  HTTP_KEYS,
  type HttpCheckRules,
  resolveHttpRules,
} from "../health/check/http-rules.ts";
import { resolveSchedule } from "../health/check/schedule.ts";
import { OptionCheck } from "../options.ts";
import { expiryOf, tlsOptionsOf } from "./connection.ts";

/** In the logs of backends. */
export const USER_AGENT = "fairlead-health-check";

/**
 * `httpCheck` over `node:http` and `node:https`: goes by the `tls` of a backend's specification, notes when its certificate
 * ends, and makes a connection of its own for each check.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function nodeHttpCheck(options: HttpCheckRules = {}): HealthCheck {
  const check = new OptionCheck();
  const input = check.record("", options, HTTP_KEYS) ?? {};
  const rules = resolveHttpRules(check, input);
  const settings = resolveSchedule(check, input);
  check.throwIfAny("nodeHttpCheck");
  return scheduled("nodeHttpCheck", settings, ({ backend, signal }) =>
    askOverHttp(rules, backend, exchange(backend, rules.host, signal)),
  );
}

function exchange(backend: Backend, host: string | undefined, signal: AbortSignal): Exchange {
  return (url, { method, headers, elsewhere }) =>
    new Promise((resolve, reject) => {
      const send = url.protocol === "https:" ? requestSecure : requestPlain;
      const request = send(url, {
        ...(elsewhere ? {} : tlsOptionsOf(backend, host)),
        method,
        headers: { "user-agent": USER_AGENT, ...headers },
        agent: false,
        signal,
      });
      request.on("error", reject);
      request.once("response", (response) => resolve(answerOf(response)));
      request.once("close", () => reject(new Error("connection closed")));
      request.end();
    });
}

function answerOf(response: IncomingMessage): Answer {
  // Whoever reads it hears of errors there.
  response.on("error", () => {});
  return {
    status: response.statusCode ?? 0,
    location: response.headers.location,
    certificateExpiresAt: expiryOf(response.socket),
    read: (limit) => read(response, limit),
    discard: () => void response.destroy(),
  };
}

/** Leaving the loop ends the response and its connection. */
async function read(response: IncomingMessage, limit: number): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk.subarray(0, limit - length));
    length += chunk.length;
    if (length >= limit) break;
  }
  return chunks;
}
