import type { Clock, HookContract } from "../api/mod.ts";
import { Call, enterCall } from "./call.ts";
import type { HandlerRegistration, Registration } from "./registration.ts";

// A source that yields without end, and without ever waiting, would keep the reader busy and hold back every timer.
const MAX_VALUES = 10_000;

/** A value of a round, and who gave it. */
export interface Gathered<Out> {
  readonly plugin: string;
  readonly value: Out;
}

/** When sources want to be asked again: milliseconds by plugin, for those that said so. */
export type GatherAgain = ReadonlyMap<string, number>;

/** What a round needs of the bus. */
export interface GatherContext<In, Out> {
  readonly clock: Clock;
  /** What is wrong with a value, if anything. */
  readonly problem: HookContract<In, Out>["problem"];
  /** Counts and reports a failure, unless the source was barred; throws it if the hook's contract refuses. */
  failed(registration: Registration, error: unknown): void;
}

type Step<Out> =
  | { readonly kind: "value"; readonly plugin: string; readonly value: Out; taken(): void }
  | { readonly kind: "end"; readonly source: number; readonly failure?: { readonly error: unknown } };

/**
 * One round: all sources merged as they yield, each at most one value ahead of the reader. It ends when every source
 * has ended, was given up, or `signal` aborted; a reader that leaves early ends every source.
 */
export async function* gatherRound<In, Out>(
  context: GatherContext<In, Out>,
  sources: readonly HandlerRegistration<"gather", In, Out>[],
  input: In,
  signal: AbortSignal,
): AsyncGenerator<Gathered<Out>, GatherAgain, void> {
  const again = new Map<string, number>();
  if (signal.aborted) return again;
  const steps: Step<Out>[] = [];
  let wake = (): void => {};
  const push = (step: Step<Out>): void => {
    steps.push(step);
    wake();
  };
  const leave = new AbortController();
  const leaveWithCaller = (): void => leave.abort(signal.reason);
  signal.addEventListener("abort", leaveWithCaller, { once: true });
  try {
    let live = sources.length;
    sources.forEach((source, i) => drive(context, source, i, input, leave.signal, again, push));
    while (live > 0) {
      const step = steps.shift();
      if (step === undefined) {
        await new Promise<void>((resolve) => wake = resolve);
      } else if (step.kind === "value") {
        step.taken();
        yield { plugin: step.plugin, value: step.value };
      } else {
        live--;
        if (step.failure) context.failed(sources[step.source], step.failure.error);
      }
    }
    return again;
  } finally {
    signal.removeEventListener("abort", leaveWithCaller);
    leave.abort();
  }
}

/** Runs one source. It reports its end exactly once, also when the generator never settles. */
async function drive<In, Out>(
  { clock, problem }: GatherContext<In, Out>,
  registration: HandlerRegistration<"gather", In, Out>,
  source: number,
  input: In,
  signal: AbortSignal,
  again: Map<string, number>,
  push: (step: Step<Out>) => void,
): Promise<void> {
  const { plugin, handler } = registration;
  let fault: string | undefined;
  let stream: AsyncGenerator<Out, { readonly again?: number } | void, unknown> | undefined;
  let call: Call | undefined;
  try {
    await enterCall(registration, signal);
    call = new Call(clock, registration, signal, ({ expired, reason }) => {
      abandon(stream);
      push({ kind: "end", source, failure: expired ? { error: reason } : undefined });
    });
    if (call.over) return;
    stream = handler(input, call.signal);
    for (let yielded = 0; !call.over; yielded++) {
      const step = await stream.next();
      if (call.over) return;
      if (step.done) {
        const wrong = keepSoonest(again, plugin, step.value?.again);
        fault ??= wrong;
        break;
      }
      if (yielded === MAX_VALUES) throw new Error(`more than ${MAX_VALUES} values in one round`);
      const wrong = problem?.(step.value, input);
      fault ??= wrong;
      if (wrong !== undefined) continue;
      call.pause();
      await new Promise<void>((taken) => push({ kind: "value", plugin, value: step.value, taken }));
      call.resume();
    }
    if (call.over) return;
    call.end();
    push({ kind: "end", source, failure: fault === undefined ? undefined : { error: new Error(fault) } });
  } catch (error) {
    if (call?.over) return;
    call?.end();
    abandon(stream);
    push({ kind: "end", source, failure: signal.aborted ? undefined : { error } });
  }
}

/** Asks a generator to end. One that is stuck in an await never settles, so nobody waits for it. */
function abandon(stream: AsyncGenerator<unknown, unknown, unknown> | undefined): void {
  try {
    stream?.return(undefined).catch(() => {});
  } catch {
    // What is not a generator has nothing to end.
  }
}

/** Returns what is wrong with the wish, if anything. */
function keepSoonest(again: Map<string, number>, plugin: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !(value >= 0)) return "it returned an `again` that is no number of milliseconds";
  again.set(plugin, Math.min(value, again.get(plugin) ?? Infinity));
}
