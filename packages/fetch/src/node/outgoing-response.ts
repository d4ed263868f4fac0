import { endToEnd } from "./answer-headers.ts";
import { isHttp2Response, type NodeResponse } from "./node-message.ts";
import { Refusal } from "./refusal.ts";
import { writeBody } from "./response-body.ts";

/** Sends a `Response`. Resolves when all of it is handed over to the socket, or nobody is there any more. */
export async function sendResponse(answer: Response, response: NodeResponse): Promise<void> {
  const { body } = answer;
  try {
    writeHead(answer, response);
  } catch (cause) {
    body?.cancel(cause).catch(() => {});
    throw new Refusal(502, "The answer can't be passed on", { cause });
  }
  if (body === null) response.end();
  else if (response.req.method === "HEAD") {
    response.end();
    await body.cancel();
  } else await writeBody(body, response);
}

/** Says why a request can't be handed on. */
export function sendRefusal({ status, message }: Refusal, response: NodeResponse): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.statusCode = status;
  response.setHeader("content-type", "text/plain; charset=utf-8");
  if (!isHttp2Response(response)) {
    // A reason that could not be sent is still there.
    response.statusMessage = "";
    // What else comes over the connection can't be trusted.
    response.setHeader("connection", "close");
  }
  response.end(`${message}\n`);
}

/** @throws Error if it is not HTTP: what a backend says can't end this process, nor another answer on the connection */
function writeHead(answer: Response, response: NodeResponse): void {
  const { status, statusText } = answer;
  const headers = endToEnd(answer.headers);
  const length = headers.get("content-length");
  if (length !== null && !/^\d+$/.test(length)) throw new TypeError("content-length is no number");
  // RFC 9110 §8.6.
  if (status === 204) headers.delete("content-length");
  for (const [name, value] of headers) if (name !== "set-cookie") response.setHeader(name, value);
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
