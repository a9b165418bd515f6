import {
  discoverPeers,
  type GatherStream,
  type Handler,
  type IsolatePermissions,
  type PeerCandidate,
} from "../api/mod.ts";
import { parseIp } from "../wire/mod.ts";
import type { CrossingHook } from "./crossing.ts";
import type { LinkCall } from "./link_call.ts";

// Thousands of swarms may ask at once: those for whom there is no place ask again after this (ms). That is nobody's fault.
const AGAIN_BUSY = 30_000;

/** Where a proxy's calls go. */
export interface ProxyTarget {
  /**
   * Begins a call with this plain input; undefined when too many are under way.
   *
   * @throws {Error} why there is nobody to answer
   */
  call(input: unknown): LinkCall | undefined;
  /** An event was left out, for too many calls were under way. */
  dropped(): void;
  readonly net: IsolatePermissions["net"];
}

/** A handler on Weft's side that calls one which is isolated. */
export function proxyHandler(
  hook: CrossingHook,
  target: ProxyTarget,
): Handler<"event" | "gather" | "first" | "every", unknown, unknown> {
  const { codec } = hook.contract;
  if (hook.verb === "event") {
    const handler: Handler<"event", unknown, unknown> = async (input) => {
      const call = target.call(codec.encodeInput(input));
      if (call) await call.result();
      else target.dropped();
    };
    return handler;
  }
  if (hook.verb === "first" || hook.verb === "every") {
    const handler: Handler<"first", unknown, unknown> = async (input, signal) => {
      const call = target.call(codec.encodeInput(input));
      if (!call) throw new Error("too many calls of it are under way");
      const answer = await call.result(signal);
      return answer === undefined ? undefined : codec.decodeOutput(answer);
    };
    return handler;
  }
  const decode = hook.name === discoverPeers.name
    ? (plain: unknown): unknown => withoutFalseSource(codec.decodeOutput(plain) as PeerCandidate, target.net)
    : (plain: unknown): unknown => codec.decodeOutput(plain);
  return (input: unknown, signal: AbortSignal) => {
    const call = target.call(codec.encodeInput(input));
    return call ? gather(call, decode, signal) : busy();
  };
}

// deno-lint-ignore require-yield -- it has nothing to give
async function* busy(): GatherStream<unknown> {
  return await Promise.resolve({ again: AGAIN_BUSY });
}

async function* gather(
  call: LinkCall,
  decode: (plain: unknown) => unknown,
  signal: AbortSignal,
): GatherStream<unknown> {
  const values = call.values(signal);
  try {
    while (true) {
      const step = await values.next();
      if (step.done) return typeof step.value === "number" ? { again: step.value } : undefined;
      yield decode(step.value);
    }
  } finally {
    await values.return(undefined);
  }
}

/**
 * A candidate named by a host on the local network may be local too. Code that is not trusted can claim any such host,
 * and so have Weft connect to what it may not reach itself: only a host that its entry grants counts.
 */
function withoutFalseSource(candidate: PeerCandidate, net: IsolatePermissions["net"] = []): PeerCandidate {
  const { address, namedBy } = candidate;
  if (namedBy === undefined || net === true) return candidate;
  const granted = net.some((grant) => {
    const host = /^\[([^\]]+)\]/.exec(grant)?.[1] ?? grant.replace(/:\d+$/, "");
    return parseIp(host)?.text === namedBy;
  });
  return granted ? candidate : { address };
}
