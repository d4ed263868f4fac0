import { type Affinity, systemClock, type Target } from "@fairlead/core";
import { CallPolicy } from "../call-policy.ts";
import { FetchClient, platformFetch } from "../create-fetch.ts";
import { readHeader } from "../headers.ts";
import type { Addressed } from "../outgoing.ts";
import { hostOf, Routable } from "../routable.ts";
import { unlessAborted } from "../unless-aborted.ts";
import type { ClientInfo, Forward, ForwardOptions, TunnelAnswer } from "./contract.ts";
import { Entrance } from "./entrance.ts";
import { anyBalancerOf, checkForwardOptions, clientOptionsOf } from "./options.ts";
import { Passage } from "./passage.ts";
import { Refusals } from "./refusals.ts";
import { ResponseHeaders } from "./response-headers.ts";
import { isPromise, Session } from "./session.ts";
import { openTunnel, type Tunnels } from "./tunnel.ts";
import { endsHere, tunnelProtocol, webSocketUpgrade } from "./upgrade.ts";

const NOBODY: ClientInfo = {};
/** Upgrades are answered by what the client can use, and nothing of it is ours to change. */
const SWITCHING_PROTOCOLS = 101;

/**
 * Takes requests of clients to the backends of a balancer, or to those that a router chooses: for a Worker or a gateway, which
 * stands between the two.
 *
 * @throws FairleadError `FAIRLEAD_ERR_CONFIG`, naming all problems at once
 */
export function createForward(target: Target, options: ForwardOptions = {}): Forward {
  checkForwardOptions(options);
  const forwarder = new Forwarder(target, options);
  const forward = (request: Request, client?: ClientInfo): Promise<Response> => forwarder.forward(request, client);
  const tunnel: Forward["tunnel"] = (request, client, open, discard) =>
    forwarder.tunnel(request, client, { open, discard });
  return Object.assign(forward, { tunnel });
}

/** entrance ─▶ session ─▶ call ─▶ answer, or a refusal; a passage ends with its body or its tunnel. */
class Forwarder {
  readonly #options: ForwardOptions;
  readonly #newPassage: (request: Request, isTunnel: boolean) => Passage;
  readonly #client: FetchClient;
  readonly #entrance: Entrance;
  readonly #refusals: Refusals;
  readonly #responses: ResponseHeaders;
  readonly #affinity: Affinity | undefined;
  readonly #upgrades: boolean;

  /** `options` are checked. */
  constructor(target: Target, options: ForwardOptions) {
    const { fetch: transport = platformFetch, accessLog, affinity, via } = options;
    const inWorkerd = "WebSocketPair" in globalThis;
    const keepsEncoding = transport.keepsEncoding ?? inWorkerd;
    // It decodes what was asked for, and `identity` was.
    const inDeno = "Deno" in globalThis;
    const balancer = anyBalancerOf(target);
    const clock = balancer?.clock ?? systemClock();
    this.#options = options;
    this.#newPassage = (request, isTunnel) => new Passage(request, balancer, clock, accessLog, isTunnel);
    this.#upgrades = transport.upgrades ?? inWorkerd;
    this.#affinity = affinity;
    this.#client = new FetchClient(target, transport, new CallPolicy(clientOptionsOf(options)));
    this.#entrance = new Entrance(this.#client, options, keepsEncoding);
    this.#responses = new ResponseHeaders(
      this.#entrance.idName,
      via === false ? undefined : via,
      transport.keepsEncoding ?? (inWorkerd || inDeno),
    );
    this.#refusals = new Refusals(options.onError, this.#responses);
  }

  async forward(request: Request, info: ClientInfo = NOBODY): Promise<Response> {
    const protocol = this.#upgrades ? webSocketUpgrade(request) : undefined;
    const passage = this.#newPassage(request, protocol !== undefined);
    try {
      const entered = this.#enter(passage, info, protocol);
      const addressed = isPromise(entered) ? await unlessAborted(entered, request.signal) : entered;
      if (endsHere(request)) return this.#answerHere(passage);
      const kind = protocol === undefined ? undefined : "connection";
      const watch: Addressed["watch"] = (attempt, send) => passage.watch(attempt, send);
      return await this.#answer(passage, await this.#client.call({ ...addressed, kind, watch }, false));
    } catch (error) {
      return this.#refusals.answer(passage, error);
    }
  }

  async tunnel<T extends TunnelAnswer>(request: Request, info: ClientInfo, tunnels: Tunnels<T>): Promise<T | Response> {
    const passage = this.#newPassage(request, true);
    try {
      const entered = this.#enter(passage, info, tunnelProtocol(request));
      const addressed = await unlessAborted(entered, request.signal);
      const answer = await openTunnel(passage, addressed, tunnels, this.#options.tunnelIdleTimeoutMs);
      const attempt = passage.take(answer);
      if (answer.headers !== undefined) {
        this.#responses.tell(answer.headers, passage, attempt?.backend);
        await unlessAborted(passage.session?.keep(attempt, answer.status, answer.headers), request.signal);
      }
      passage.answer(answer.status);
      return answer;
    } catch (error) {
      return this.#refusals.answer(passage, error);
    }
  }

  /** Where a request goes, and on which backend its session lives. A promise only where an affinity needs one. */
  #enter(passage: Passage, info: ClientInfo, protocol: string | undefined): Addressed | Promise<Addressed> {
    const addressed = this.#entrance.enter(passage, info, protocol);
    const { to, url, method } = addressed;
    const affinity = to.match?.affinity ?? this.#affinity;
    if (affinity?.kind !== "session") return addressed;
    const { headers } = passage.request;
    const path = url.pathname + url.search;
    const asked = new Routable(method, hostOf(url.origin), path, headers, readHeader, passage.client?.ip);
    passage.session = new Session(affinity, asked, to.balancer);
    return passage.session.pin(addressed);
  }

  /** What the client gets of an answer. */
  async #answer(passage: Passage, response: Response): Promise<Response> {
    const attempt = passage.take(response);
    if (response.status === SWITCHING_PROTOCOLS) {
      passage.answer(response.status);
      return response;
    }
    const shown = this.#responses.show(response, passage, attempt?.backend);
    const kept = passage.session?.keep(attempt, shown.status, shown.headers);
    if (kept !== undefined) await unlessAborted(kept, passage.request.signal);
    passage.answer(shown.status);
    return shown;
  }

  /** We are the last who may see it. */
  #answerHere(passage: Passage): Response {
    const response = new Response(null, { status: 204 });
    this.#responses.sign(response.headers, passage);
    passage.answer(response.status);
    return response;
  }
}
