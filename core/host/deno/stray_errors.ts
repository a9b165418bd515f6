// Enough to see what goes wrong; a plugin that fails without end can't flood the screen.
const MAX_TOLD = 100;

/**
 * Keeps the process alive when something is thrown, or a promise rejected, that nobody waits for: in a plugin's own
 * timers and promises nothing else can catch it. `tell` gets each with where it came from, the first hundred times.
 */
export function containStrayErrors(tell: (text: string) => void): Disposable {
  let told = 0;
  const contain = (event: Event, error: unknown): void => {
    event.preventDefault();
    if (++told > MAX_TOLD) return;
    try {
      const [what, where = ""] = error instanceof Error ? (error.stack ?? error.message).split("\n") : [String(error)];
      tell(`nobody waits for what failed: ${what}${where.trimEnd().replace(/^ +/, " ")}`);
    } catch {
      tell("nobody waits for what failed");
    }
  };
  const onRejection = (event: PromiseRejectionEvent): void => contain(event, event.reason);
  const onError = (event: ErrorEvent): void => contain(event, event.error);
  addEventListener("unhandledrejection", onRejection);
  addEventListener("error", onError);
  return {
    [Symbol.dispose]() {
      removeEventListener("unhandledrejection", onRejection);
      removeEventListener("error", onError);
    },
  };
}
