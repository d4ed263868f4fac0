import type { TransportInit } from "./transport.ts";

/** workerd, which ends a request whose body fails as if it were whole: its backend would take a part for all of it. */
const ENDS_AS_WHOLE = "WebSocketPair" in globalThis;

/** What is sent, aborted where its body fails and the platform would not do so itself. */
export function guardUpload(init: TransportInit): TransportInit {
  const { body, signal } = init;
  return ENDS_AS_WHOLE && body instanceof ReadableStream ? guarded(init, body, signal) : init;
}

function guarded(init: TransportInit, body: ReadableStream, signal: AbortSignal | undefined): TransportInit {
  const controller = new AbortController();
  const follow = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) follow();
  else signal?.addEventListener("abort", follow, { once: true });
  const reader = body.getReader();
  const watched = new ReadableStream(
    {
      pull: async (stream) => {
        try {
          const { done, value } = await reader.read();
          if (done) stream.close();
          else stream.enqueue(value);
        } catch (error) {
          controller.abort(error);
          throw error;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    // Nothing is read before somebody asks.
    { highWaterMark: 0 },
  );
  return { ...init, body: watched, signal: controller.signal };
}
