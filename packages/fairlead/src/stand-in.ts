import { type Balancer, createBalancer } from "@fairlead/core";

/** In the place of a balancer whose options are wrong, so that the options of all others can be checked. It is never called. */
export function standIn(): Balancer {
  return createBalancer({ name: "stand-in", backends: ["http://stand-in.invalid"] });
}
