import type { IncomingHttpHeaders } from "node:http";
import type { Attempt } from "@fairlead/core";
import type { Destination } from "../destination.ts";
import { Exchange } from "./exchange.ts";
import type { Controller, Handler } from "./handler.ts";
import { showLogicalLocation } from "./logical-location.ts";
import type { Route } from "./route.ts";

/** An exchange of a `fetch` that knows the logical origin alone. */
export class LogicalExchange extends Exchange {
  readonly #route: Route;
  readonly #destination: Destination;

  constructor(attempt: Attempt, handler: Handler, route: Route, destination: Destination) {
    super(attempt, handler);
    this.#route = route;
    this.#destination = destination;
  }

  override onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: IncomingHttpHeaders,
    statusText?: string,
  ): void {
    showLogicalLocation(controller, statusCode, headers, this.#route, this.#destination);
    super.onResponseStart(controller, statusCode, headers, statusText);
  }
}
