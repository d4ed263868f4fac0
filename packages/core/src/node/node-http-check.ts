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
import { expected, OptionCheck } from "../options.ts";
import { expiryOf, hostHeader, tlsOptionsOf } from "./connection.ts";

export interface NodeHttpCheckOptions extends HttpCheckRules {
  /** Host header and TLS server name. Default: the `host` of the backend's specification, else what its URL says. */
  readonly host?: string | undefined;
}

/** In the logs of backends. */
export const USER_AGENT = "fairlead-health-check";

/**
 * `httpCheck` over `node:http` and `node:https`: goes by the `host` and `tls` of a backend's specification, notes when its
 * certificate ends, and makes a connection of its own for each check.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function nodeHttpCheck(options: NodeHttpCheckOptions = {}): HealthCheck {
  const check = new OptionCheck();
  const input = check.record("", options, ["host", ...HTTP_KEYS]) ?? {};
  const host = check.optional("host", input["host"], expected.headerValue);
  const rules = resolveHttpRules(check, input);
  const settings = resolveSchedule(check, input);
  check.throwIfAny("nodeHttpCheck");
  return scheduled("nodeHttpCheck", settings, ({ backend, signal }) =>
    askOverHttp(rules, backend, exchange(backend, host, signal)),
  );
}

function exchange(backend: Backend, host: string | undefined, signal: AbortSignal): Exchange {
  return (url, { method, headers, elsewhere }) =>
    new Promise((resolve, reject) => {
      const send = url.protocol === "https:" ? requestSecure : requestPlain;
      const request = send(url, {
        ...(elsewhere ? {} : tlsOptionsOf(backend, host)),
        method,
        headers: { "user-agent": USER_AGENT, ...headers, ...(elsewhere ? {} : hostHeader(backend, host)) },
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
