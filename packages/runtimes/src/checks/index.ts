import type { Check } from "../check.ts";
import { balancing } from "./balancing.ts";
import { bodies } from "./bodies.ts";
import { forward } from "./forward.ts";
import { hooks } from "./hooks.ts";
import { logic } from "./logic.ts";
import { madeBodies } from "./made-bodies.ts";
import { repeats } from "./repeats.ts";
import { responses } from "./responses.ts";
import { routing } from "./routing.ts";
import { sessions } from "./sessions.ts";
import { time } from "./time.ts";
import { umbrella } from "./umbrella.ts";

/** What must be so in every runtime. */
export const checks: readonly Check[] = [
  ...balancing,
  ...repeats,
  ...time,
  ...bodies,
  ...madeBodies,
  ...responses,
  ...routing,
  ...hooks,
  ...sessions,
  ...forward,
  ...logic,
  ...umbrella,
];
