export { createNodeListener, type NodeListener, type NodeListenerOptions } from "./listener.ts";
export type { NodeRequest, NodeResponse } from "./node-message.ts";
