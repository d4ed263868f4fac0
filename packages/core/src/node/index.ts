// Health checks that need Node's own modules.
export { type NodeHttpCheckOptions, nodeHttpCheck } from "./node-http-check.ts";
export { type TcpCheckOptions, tcpCheck } from "./tcp-check.ts";
export { type TlsCheckOptions, tlsCheck } from "./tls-check.ts";
export { type WebSocketCheckOptions, webSocketCheck } from "./web-socket-check.ts";
