import { isOneShot, OneShotBody } from "../body.ts";
import type { FetchClient } from "../create-fetch.ts";
import { fromIncoming } from "../incoming.ts";
import type { FairleadInit } from "../options.ts";
import type { Addressed, Outgoing } from "../outgoing.ts";
import { admit } from "./admission.ts";
import { ClientCounts } from "./client-counts.ts";
import type { ClientInfo, ForwardOptions } from "./contract.ts";
import type { Passage } from "./passage.ts";
import { RequestHeaders } from "./request-headers.ts";
import { requestIdOf } from "./request-id.ts";
import { Trust } from "./trust.ts";
import { Upload } from "./upload.ts";

const REQUEST_ID = "x-request-id";

/** Where requests come in: what is known of each, whether it may pass, and where it goes. */
export class Entrance {
  /** The header with the request's id. */
  readonly idName: string | undefined;
  readonly #client: FetchClient;
  readonly #trust: Trust;
  readonly #headers: RequestHeaders;
  readonly #counts: ClientCounts | undefined;
  readonly #heeds: "trusted" | boolean;

  constructor(client: FetchClient, options: ForwardOptions, keepsEncoding: boolean) {
    const {
      requestIdHeader = REQUEST_ID,
      maxConnectionsPerClient: max,
      trust,
      fromIncoming: heeds = "trusted",
    } = options;
    this.idName = requestIdHeader === false ? undefined : requestIdHeader.toLowerCase();
    this.#client = client;
    this.#trust = new Trust(trust);
    this.#headers = new RequestHeaders(options, this.idName, this.#trust.header, keepsEncoding);
    this.#counts = max === undefined ? undefined : new ClientCounts(max);
    this.#heeds = heeds;
  }

  /**
   * @param protocol what the connection is to be upgraded to, if it is
   * @throws RefusedError; FairleadError `FAIRLEAD_ERR_NO_ROUTE`, `FAIRLEAD_ERR_LIMIT`
   */
  enter(passage: Passage, info: ClientInfo, protocol: string | undefined): Addressed {
    const { request } = passage;
    const { headers } = request;
    const client = this.#trust.clientOf(info, (name) => headers.get(name));
    passage.client = client;
    if (this.idName !== undefined) passage.requestId = requestIdOf(headers.get(this.idName), client.trusted);
    const url = admit(request);
    const proto = client.said.proto ?? info.protocol ?? url.protocol.slice(0, -1);
    passage.origin = { proto, host: client.said.host ?? url.host };
    const sent = this.#headers.of(request, { client, origin: passage.origin, requestId: passage.requestId });
    if (protocol !== undefined) {
      sent["connection"] = "Upgrade";
      sent["upgrade"] = protocol;
    }
    const heeds = this.#heeds === "trusted" ? client.trusted : this.#heeds;
    const own = heeds ? callerOf(headers) : undefined;
    const addressed = this.#client.address(outgoing(request, url, sent), own, client.ip);
    passage.addressed = addressed;
    this.#count(passage, client.key, addressed);
    const { oneShot } = addressed;
    if (oneShot === undefined) return addressed;
    passage.upload = new Upload(addressed);
    return passage.upload.apply(addressed, oneShot);
  }

  /** A client that nobody knows is counted with nobody. */
  #count(passage: Passage, key: string | undefined, { to }: Addressed): void {
    if (this.#counts === undefined || key === undefined) return;
    passage.leave = this.#counts.enter(key);
    if (passage.leave === undefined) throw to.balancer.shed("client-connections", "the client has too much open");
  }
}

function outgoing(request: Request, url: URL, headers: Record<string, string>): Outgoing {
  const { method, body, signal } = request;
  const init: RequestInit & { duplex?: "half" } = { method, headers, redirect: "manual" };
  if (body !== null) init.duplex = "half";
  const oneShot = isOneShot(body) ? new OneShotBody(body) : undefined;
  return { url, method, redirect: "manual", init, oneShot, signal };
}

function callerOf(headers: Headers): FairleadInit | undefined {
  const said = fromIncoming(headers);
  return said.retry === undefined && said.deadlineLimitMs === undefined ? undefined : said;
}
