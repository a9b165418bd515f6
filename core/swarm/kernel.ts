/** What every swarm stands on: the world, the bus, and what swarms share. @module */
import type { Hook, Host, LimitSettings, Logger } from "../api/mod.ts";
import type { Bus } from "../bus/mod.ts";
import type { StateStore, StoreMemory } from "../store/mod.ts";
import type { Egress } from "../net/mod.ts";
import type { Pacer } from "./pacer.ts";
import type { RateLimiter } from "./rate_limit.ts";
import type { ReadBuffers } from "./session/read_buffers.ts";

export interface Kernel {
  readonly host: Host;
  readonly bus: Bus;
  readonly egress: Egress;
  readonly memory: StoreMemory;
  readonly state: StateStore;
  readonly readBuffers: ReadBuffers;
  readonly pacer: Pacer;
  readonly log: Logger;
  /** The present limits; a reload replaces them. */
  readonly limits: LimitSettings;
  /** The limits of the whole runtime, parents of each swarm's. */
  readonly downLimit: RateLimiter;
  readonly upLimit: RateLimiter;
  /** The port that peers are accepted on, 0 while there is none. */
  readonly listenPort: number;
  /** Tells plugins, and whoever watches the runtime, what happened. */
  tell<In extends object>(hook: Hook<"event", In, void>, what: NoInfer<In>): void;
}
