import { FairleadError, type FairleadErrorDetails } from "../errors.ts";

/** Where the engine keeps how deep stack traces go; not every engine has it. */
const engine: { readonly prototype: Error; stackTraceLimit?: unknown } = Error;

/**
 * The error of a call that a limit turns away. It has no stack trace: where a call was shed is always the same place,
 * and shedding must stay cheap when there is most of it.
 */
export function limitError(message: string, details: FairleadErrorDetails): FairleadError {
  const depth = engine.stackTraceLimit;
  if (typeof depth !== "number" || Object.isFrozen(Error))
    return new FairleadError("FAIRLEAD_ERR_LIMIT", message, details);
  engine.stackTraceLimit = 0;
  try {
    return new FairleadError("FAIRLEAD_ERR_LIMIT", message, details);
  } finally {
    engine.stackTraceLimit = depth;
  }
}
