import { clientGone } from "./client-gone.ts";
import type { NodeRequest } from "./node-message.ts";

/**
 * The body of a request, read only when somebody asks for more, so that TCP slows the client down.
 *
 * Pulled by hand: as fast as a `data` listener, while `Readable.toWeb` copies every chunk and a byte stream takes its buffer
 * away, which other chunks may share (10 % and more, 1 GB over loopback).
 */
export function incomingBody(request: NodeRequest): ReadableStream<Uint8Array> {
  let wake: (() => void) | undefined;
  const notify = (): void => wake?.();
  const events = ["readable", "end", "error", "close"] as const;
  let listening = false;
  // Not before it is read: Node lets go by itself of what nobody has touched.
  const listen = (): void => {
    if (listening) return;
    listening = true;
    for (const event of events) request.on(event, notify);
  };
  const stop = (): void => {
    for (const event of events) request.off(event, notify);
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        listen();
        for (;;) {
          const chunk: Uint8Array | null = request.read();
          if (chunk !== null) return controller.enqueue(chunk);
          if (request.readableEnded) {
            stop();
            return controller.close();
          }
          if (request.destroyed) {
            stop();
            throw clientGone();
          }
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      },
      cancel: stop,
    },
    { highWaterMark: 0 },
  );
}
