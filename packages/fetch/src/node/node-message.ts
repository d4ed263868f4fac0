import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** A request as `node:http`, `node:https` and the compatibility layer of `node:http2` hand it over. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** Its response. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

export function isHttp2Request(request: NodeRequest): request is Http2ServerRequest {
  return request.httpVersionMajor === 2;
}

export function isHttp2Response(response: NodeResponse): response is Http2ServerResponse {
  return "stream" in response;
}
