import { constants } from "node:http2";
import type { Writable } from "node:stream";
import { isHttp2Response, type NodeResponse } from "./node-message.ts";

/**
 * Writes a body chunk by chunk, as fast as the client takes it. One that breaks off breaks the connection off: the client must
 * not take a part for the whole.
 *
 * A reader of our own: `Readable.fromWeb` and `pipe` put two more queues in between.
 *
 * @param client aborted when it has left
 */
export async function writeBody(
  body: ReadableStream<Uint8Array>,
  response: NodeResponse,
  client: AbortSignal,
): Promise<void> {
  const reader = body.getReader();
  const sink: Writable = response;
  const leave = (): void => void reader.cancel(client.reason).catch(() => {});
  if (client.aborted) return leave();
  client.addEventListener("abort", leave);
  // Headers go out with the first bytes, unless those take their time.
  const flush = isHttp2Response(response) ? undefined : setImmediate(() => response.flushHeaders());
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      clearImmediate(flush);
      if (!sink.write(chunk.value) && !client.aborted) await writable(sink, client);
    }
    sink.end();
  } catch (error) {
    breakOff(response);
    await reader.cancel(error).catch(() => {});
  } finally {
    clearImmediate(flush);
    client.removeEventListener("abort", leave);
  }
}

/** Until it takes more, or will never. */
function writable(sink: Writable, client: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      sink.off("drain", go);
      client.removeEventListener("abort", go);
      resolve();
    };
    sink.on("drain", go);
    client.addEventListener("abort", go);
  });
}

/** Says that this is not the end of the answer. */
function breakOff(response: NodeResponse): void {
  if (isHttp2Response(response)) {
    response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  // With neither length nor chunks the end of the connection is that of the body, unless it is a reset.
  const framed = response.chunkedEncoding || response.hasHeader("content-length");
  if (framed || response.socket === null) response.destroy();
  else response.socket.resetAndDestroy();
}
