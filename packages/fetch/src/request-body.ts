/**
 * The body of a Request that was made of text, bytes, a form or a blob; `undefined`: it has none, it is used, or it is a
 * stream. It is read at once: what it was made of is in memory, and only so can it be sent again, and with its length. As
 * with `fetch`, the Request is used then.
 */
export function wholeBody(request: Request): Promise<ArrayBuffer> | undefined {
  if (request.body === null || !(canTell ??= refusesStreams())) return undefined;
  return unlessStream(request)?.arrayBuffer();
}

let canTell: boolean | undefined;

/**
 * Nothing says of a Request what its body was made of, but one in mode `no-cors` can't have a stream.
 *
 * Source: Fetch standard, `new Request(input, init)`, "If inputOrInitBody is non-null and inputOrInitBody's source is null".
 */
function unlessStream(request: Request): Request | undefined {
  try {
    return new Request(request, { method: "POST", mode: "no-cors" });
  } catch {
    return undefined;
  }
}

/** Not every runtime goes by modes. */
function refusesStreams(): boolean {
  const init = { method: "POST", body: new ReadableStream(), duplex: "half", mode: "no-cors" } as RequestInit;
  try {
    new Request("http://localhost", init).url.at(0);
    return false;
  } catch {
    return true;
  }
}
