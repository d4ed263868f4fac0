export const MB: number = 2 ** 20;
export const CHUNK: Uint8Array<ArrayBuffer> = new Uint8Array(64 * 1024);

export function* chunks(bytes: number): Generator<Uint8Array<ArrayBuffer>> {
  for (let sent = 0; sent < bytes; sent += CHUNK.byteLength) yield CHUNK;
}

/** A body that is made as it is read. */
export function bodyOf(bytes: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const left = chunks(bytes);
  return new ReadableStream(
    {
      pull(controller) {
        const { done, value } = left.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Reads a body to its end. */
export async function lengthOf(body: ReadableStream<Uint8Array> | null): Promise<number> {
  if (body === null) return 0;
  const reader = body.getReader();
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return bytes;
    bytes += value.byteLength;
  }
}
