import { expected, type Fallback, type LastGoodOptions, lastGood, OptionCheck } from "@fairlead/core";
import { isResponse, WITHOUT_BODY } from "./response.ts";

export interface LastGoodResponseOptions extends Pick<LastGoodOptions, "maxAgeMs" | "maxKeys"> {
  /** Longer bodies are not kept; bytes, whole, ≥ 0. Default 1 MiB. */
  readonly maxBytes?: number | undefined;
}

interface Kept {
  readonly body: Blob;
  readonly init: ResponseInit;
}

const DEFAULT_MAX_BYTES = 2 ** 20;

/**
 * `lastGood` for `createFetch`: a `GET` that fails is answered with the last good response of the same URL (or
 * `fallbackKey`), if it is not too old. It says how old it is in an `age` header (RFC 9111 §5.1).
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG` with all problems
 */
export function lastGoodResponse(options: LastGoodResponseOptions = {}): Fallback {
  const { maxBytes = DEFAULT_MAX_BYTES, ...rest } = options;
  const check = new OptionCheck();
  check.required("maxBytes", maxBytes, expected.integer({ min: 0 }));
  check.throwIfAny("lastGoodResponse");
  return lastGood({
    ...rest,
    keep: (response) =>
      isResponse(response) && response.status < 300 ? copyOf(response, maxBytes).catch(nothing) : undefined,
    give: (kept, ageMs) => present(kept as Kept, ageMs),
  });
}

/** A body that breaks off, or whose caller leaves, is nothing to remember. */
function nothing(): undefined {
  return undefined;
}

/** Read beside the caller: the copy takes nothing from it, and waits for nobody. */
async function copyOf(response: Response, maxBytes: number): Promise<Kept | undefined> {
  const { status, statusText, headers } = response;
  const init = { status, statusText, headers: [...headers] as [string, string][] };
  if (response.body === null) return { body: new Blob([]), init };
  const reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined = response.clone().body?.getReader();
  if (reader === undefined) return undefined;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let left = maxBytes;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { body: new Blob(chunks), init };
    left -= value.byteLength;
    if (left < 0) {
      await reader.cancel();
      return undefined;
    }
    chunks.push(value);
  }
}

function present({ body, init }: Kept, ageMs: number): Response {
  const headers = new Headers(init.headers);
  // Of the transfer, not of what was transferred.
  for (const name of ["content-encoding", "content-length", "transfer-encoding"]) headers.delete(name);
  headers.set("age", String(Math.floor(ageMs / 1_000)));
  return new Response(WITHOUT_BODY.has(init.status) ? null : body, { ...init, headers });
}
