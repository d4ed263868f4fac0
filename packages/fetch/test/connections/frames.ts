import { createServer } from "node:tls";
import { certificate, privateKey } from "../support/certificate.ts";
import { listen, type TestServer } from "../support/servers.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".length;
/** Bytes before the payload of a frame. */
const HEAD = 9;
const [HEADERS, SETTINGS, GOAWAY] = [1, 4, 7];

/** A server that speaks HTTP/2 and answers every stream with a GOAWAY that names none: nothing was processed. */
export async function refusingServer(errorCode: number): Promise<TestServer> {
  const received: string[] = [];
  const options = { cert: certificate, key: privateKey, ALPNProtocols: ["h2"] };
  const server = createServer(options, (socket) => {
    socket.on("error", () => {});
    socket.write(frame(SETTINGS, Buffer.alloc(0)));
    let rest = Buffer.alloc(0);
    let isPast = false;
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      if (!isPast && rest.length < PREFACE) return;
      if (!isPast) rest = rest.subarray(PREFACE);
      isPast = true;
      while (rest.length >= HEAD && rest.length >= HEAD + rest.readUIntBE(0, 3)) {
        if (rest[3] === HEADERS) {
          received.push("a stream");
          const payload = Buffer.alloc(8);
          payload.writeUInt32BE(errorCode, 4);
          socket.write(frame(GOAWAY, payload));
        }
        rest = rest.subarray(HEAD + rest.readUIntBE(0, 3));
      }
    });
  });
  return listen(server, received, "https");
}

/** RFC 9113 §4.1: length, type, flags, stream 0. */
function frame(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  return Buffer.concat([head, payload]);
}
