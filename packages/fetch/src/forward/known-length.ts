/** workerd has it: a stream that fails unless so many bytes go through. */
type FixedLengthStreams = new (length: number) => TransformStream<Uint8Array, Uint8Array>;

/**
 * The body of an answer that says how long it is. workerd keeps the Content-Length of streams of its own alone, and of all
 * others a client can't tell that they have failed: they end as if they were whole.
 */
export function knownLength({ body, headers }: Response): ReadableStream | null {
  const { FixedLengthStream } = globalThis as { readonly FixedLengthStream?: FixedLengthStreams };
  const length = headers.get("content-length") ?? "";
  // workerd decodes what it reads, and a length that Transfer-Encoding overrules is a lie.
  const isKnown = /^\d{1,15}$/.test(length) && !headers.has("content-encoding") && !headers.has("transfer-encoding");
  if (FixedLengthStream === undefined || body === null || !isKnown) return body;
  const { readable, writable } = new FixedLengthStream(Number(length));
  // Whoever reads is told.
  body.pipeTo(writable).catch(() => {});
  return readable;
}
