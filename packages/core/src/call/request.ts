import type { Backend } from "../backend.ts";
import type { PickRequest } from "../strategy/strategy.ts";
import type { CallOptions } from "./attempt.ts";

const REQUEST: PickRequest = { replayable: false };
const REPLAYABLE: PickRequest = { replayable: true };

/** Most calls say nothing that a pick depends on, and share one of two requests. */
export function pickRequestOf<T>(options: CallOptions<T>): PickRequest {
  const { kind, hashKey, pinned, pinPolicy, labels, idempotent } = options;
  const replayable = idempotent === true;
  if (kind === undefined && hashKey === undefined && pinned === undefined && labels === undefined) {
    return replayable ? REPLAYABLE : REQUEST;
  }
  return { kind, hashKey, pinned, pinPolicy, labels, replayable };
}

/** A repeat that nobody in good health takes: backends that have failed may, but for those it has tried. */
export function untried(request: PickRequest): PickRequest & { readonly lastResort: true } {
  return { ...request, lastResort: true };
}

/** A repeat that nobody new can take: failed and tried backends may. */
export function lastResort(request: PickRequest): PickRequest & { readonly lastResort: true } {
  return { ...request, tried: undefined, lastResort: true };
}

export function withTried(request: PickRequest, backend: Backend): PickRequest {
  return { ...request, tried: new Set([...(request.tried ?? []), backend]) };
}
