import { problemOf, RefusedError } from "../forward/refused.ts";
import { isHttp2Response, type NodeResponse } from "./node-message.ts";
import { writeBody } from "./response-body.ts";

/**
 * Sends a `Response`. Resolves when all of it is handed over to the socket, or nobody is there any more.
 *
 * @param client aborted when it has left
 */
export async function sendResponse(answer: Response, response: NodeResponse, client: AbortSignal): Promise<void> {
  const { body } = answer;
  try {
    writeHead(answer, response);
  } catch (cause) {
    body?.cancel(cause).catch(() => {});
    throw new RefusedError(502, "the answer can't be passed on", cause);
  }
  if (body === null) response.end();
  else if (response.req.method === "HEAD") {
    response.end();
    await body.cancel();
  } else await writeBody(body, response, client);
}

/** Answers an error. `report` is told of those that are not the client's doing. */
export async function sendRefusal(
  error: unknown,
  response: NodeResponse,
  client: AbortSignal,
  report: (error: unknown) => void,
): Promise<void> {
  const refusal = problemOf(error, response.req.method ?? "GET");
  if (refusal.status === 500 || refusal.status === 502) report(error);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  if (!isHttp2Response(response)) {
    // A reason that could not be sent is still there.
    response.statusMessage = "";
    // What else comes over the connection can't be trusted.
    response.setHeader("connection", "close");
  }
  await sendResponse(refusal, response, client);
}

/** @throws Error if it is not HTTP: what a backend says can't end this process, nor another answer on the connection */
function writeHead(answer: Response, response: NodeResponse): void {
  const { status, statusText, headers } = answer;
  const length = headers.get("content-length");
  if (length !== null && !/^\d+$/.test(length)) throw new TypeError("content-length is no number");
  for (const [name, value] of headers) if (name !== "set-cookie") response.setHeader(name, value);
  // RFC 9110 §8.6.
  if (status === 204) response.removeHeader("content-length");
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  if (isHttp2Response(response)) {
    response.writeHead(status);
    return;
  }
  // A body of another length would be taken for the beginning of the next answer.
  response.strictContentLength = true;
  response.writeHead(status, statusText === "" ? undefined : statusText);
}
