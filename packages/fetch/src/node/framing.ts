import { RefusedError } from "../forward/refused.ts";
import { isHttp2Request, type NodeRequest } from "./node-message.ts";

/** Said twice, they mean different things to different parsers (RFC 9112 §3.2, §6.3). */
const SAID_ONCE: readonly string[] = ["host", "content-length", "transfer-encoding"];

/**
 * Whether a request has a body. What could be read in two ways is refused: that is how requests are smuggled past whoever
 * reads them first (RFC 9112 §11.2). Node's parser refuses most of it itself, unless it is told to be lenient.
 *
 * @throws RefusedError
 */
export function hasBody(request: NodeRequest): boolean {
  const { headers, rawHeaders } = request;
  for (const name of SAID_ONCE)
    if (timesSaid(rawHeaders, name) > 1) throw new RefusedError(400, `there is more than one ${name}`);
  const length = headers["content-length"];
  const coding = headers["transfer-encoding"];
  // RFC 9113 §8.1: the frames tell.
  if (isHttp2Request(request)) return !request.stream.endAfterHeaders;
  if (coding === undefined) return isLength(length) && Number(length) > 0;
  if (length !== undefined) throw new RefusedError(400, "there is a length and a transfer coding");
  // RFC 9112 §6.1: a coding that is not understood.
  if (coding.toLowerCase() !== "chunked") throw new RefusedError(501, "the transfer coding is not supported");
  return true;
}

function isLength(length: string | undefined): boolean {
  if (length !== undefined && !/^\d+$/.test(length)) throw new RefusedError(400, "the content length is not valid");
  return length !== undefined;
}

function timesSaid(rawHeaders: readonly string[], name: string): number {
  let times = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const given = rawHeaders[index];
    if (given !== undefined && given.length === name.length && given.toLowerCase() === name) times++;
  }
  return times;
}
