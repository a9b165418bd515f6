/** A kernel for tests of the swarm's parts: a memory host, a real bus, and no store behind it. @module */
import type { LimitSettings } from "../api/mod.ts";
import { Bus, HookTable, type Registration } from "../bus/mod.ts";
import type { MemoryHost } from "../host/memory/mod.ts";
import { Egress } from "../net/egress.ts";
import type { Kernel } from "./kernel.ts";
import { Pacer } from "./pacer.ts";
import { RateLimiter } from "./rate_limit.ts";
import { ReadBuffers } from "./session/read_buffers.ts";

/** What {@link testKernel} may be told. */
export interface TestKernelOptions {
  readonly registrations?: readonly Registration[];
  readonly limits?: Partial<LimitSettings>;
}

/** Makes the kernel; `log` has every line of its log. */
export function testKernel(host: MemoryHost, options: TestKernelOptions = {}): Kernel & { readonly logged: string[] } {
  const logged: string[] = [];
  const line = (text: string): void => void logged.push(text);
  const log = { debug: line, info: line, warn: line, error: line };
  const bus = new Bus({ clock: host.clock, log });
  bus.swap(HookTable.build(options.registrations ?? [], 1));
  return {
    host,
    bus,
    egress: new Egress({ allow: [] }),
    memory: undefined as never,
    state: undefined as never,
    readBuffers: new ReadBuffers(),
    pacer: new Pacer(host.clock),
    log,
    limits: {
      connections: 20,
      peers: 10,
      dials: 20,
      halfOpen: 5,
      handshakes: 20,
      acceptsPerAddress: 3,
      openPieces: 1 << 20,
      readAhead: 1 << 20,
      openFiles: 16,
      ...options.limits,
    },
    downLimit: new RateLimiter(),
    upLimit: new RateLimiter(),
    listenPort: 6881,
    tell: () => {},
    logged,
  };
}
