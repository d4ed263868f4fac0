import { isHttp2Request, type NodeRequest } from "./node-message.ts";

/** What of a body that nobody wants is read, in bytes, to keep the connection; more is not worth it. */
const DRAIN_LIMIT = 64 * 1024;

/**
 * After an answer that did not wait for the whole request: reads a little of the rest, then ends the connection. To be called
 * before Node's own listeners hear of the end.
 */
export function finishReading(request: NodeRequest): void {
  if (request.complete) return;
  let left = DRAIN_LIMIT;
  request.on("data", (chunk: Uint8Array) => {
    left -= chunk.byteLength;
    if (left >= 0) return;
    if (isHttp2Request(request)) request.stream.close();
    else request.destroy();
  });
  // At once: Node would read what nobody has begun to read, however long it is.
  request.read(0);
  request.resume();
}
