import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

/** A WebSocket server in so many lines: accepts, answers a masked text frame of up to 125 bytes with the same, and a close with a close. */
export function echoWebSocket(socket: Socket, head: Buffer, request: IncomingMessage): void {
  const accept = createHash("sha1")
    .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  const [protocol = ""] = (request.headers["sec-websocket-protocol"] ?? "").split(",");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade, X-Hop\r\nX-Hop: gone\r\nSec-WebSocket-Accept: ${accept}\r\n` +
      `${protocol === "" ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`}Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n`,
  );
  let bytes = head;
  const read = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let length = (bytes[1] ?? 0) & 0x7f; bytes.length >= 6 + length; length = (bytes[1] ?? 0) & 0x7f) {
      const mask = bytes.subarray(2, 6);
      const payload = Buffer.from(bytes.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
      const opcode = (bytes[0] ?? 0) & 0x0f;
      socket.write(Buffer.concat([Buffer.from([0x80 | opcode, length]), payload]));
      bytes = bytes.subarray(6 + length);
      if (opcode === 8) socket.end();
    }
  };
  read(Buffer.alloc(0));
  socket.on("data", read);
  socket.once("end", () => socket.end());
}
