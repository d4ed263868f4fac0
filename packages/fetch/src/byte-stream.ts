/** Read ahead, in bytes: an answer that nobody reads to its end ends by itself if it is small, as in undici. */
const READ_AHEAD = 64 * 1024;

type Chunk = Uint8Array<ArrayBuffer>;

/**
 * A stream of bytes, as the platform's responses have them: it can be read into a buffer of the caller's. `read` never
 * returns an empty chunk; `undefined` is the end.
 */
export function byteStream(
  read: () => Promise<Chunk | undefined>,
  cancel: (reason: unknown) => Promise<void>,
): ReadableStream<Chunk> {
  // Safari has none.
  return typeof ReadableByteStreamController === "undefined" ? plainStream(read, cancel) : ownedStream(read, cancel);
}

function ownedStream(
  read: () => Promise<Chunk | undefined>,
  cancel: (reason: unknown) => Promise<void>,
): ReadableStream<Chunk> {
  const stream: ReadableStream<unknown> = new ReadableStream(
    {
      type: "bytes",
      async pull(controller) {
        const chunk = await read();
        if (chunk !== undefined) {
          controller.enqueue(owned(chunk));
          return;
        }
        controller.close();
        // Whoever waits with a buffer gets it back.
        controller.byobRequest?.respond(0);
      },
      cancel,
    },
    { highWaterMark: READ_AHEAD },
  );
  return stream as ReadableStream<Chunk>;
}

function plainStream(
  read: () => Promise<Chunk | undefined>,
  cancel: (reason: unknown) => Promise<void>,
): ReadableStream<Chunk> {
  return new ReadableStream<Chunk>(
    {
      async pull(controller) {
        const chunk = await read();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: READ_AHEAD }),
  );
}

/** A stream of bytes takes buffers away from who fills it; one that others have a part of is not ours to give. */
function owned(chunk: Chunk): Chunk {
  return chunk.byteLength === chunk.buffer.byteLength ? chunk : chunk.slice();
}
