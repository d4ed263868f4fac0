import { Readable } from "node:stream";
import type { Fairlead } from "fairlead";
import got, { type Got } from "got";

/**
 * got over the backends of `upstream`: a hook answers each request by undici, so that got makes none itself. Its own
 * retries are off: two layers that retry multiply. Deadlines are fairlead's; `timeout` of got is not looked at.
 */
export function createGot({ request, origin }: Pick<Fairlead, "request" | "origin">): Got {
  return got.extend({
    prefixUrl: origin,
    retry: { limit: 0 },
    hooks: {
      beforeRequest: [
        async ({ url, method, headers, body, signal }) => {
          const answer = await request(url as URL, { method, headers, body: body as never, signal: signal ?? null });
          return toMessage(answer.statusCode, answer.headers, answer.body) as never;
        },
      ],
    },
  });
}

/** What got needs of Node's `IncomingMessage`. A stream of its own, as got sets properties that undici's body has. */
function toMessage(statusCode: number, headers: object, body: Readable): Readable {
  const message = Readable.from(body, { objectMode: false });
  Object.defineProperty(message, "complete", { get: () => message.readableEnded });
  return Object.assign(message, { statusCode, headers });
}
