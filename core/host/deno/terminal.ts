import type { Terminal } from "../../api/mod.ts";

// What a terminal that doesn't tell its width is taken for.
const DEFAULT_COLUMNS = 80;
// A terminal hands over whole lines, and none that answers a question is longer (bytes).
const MAX_LINE = 1024;

/** The terminal that the process runs in. */
export function denoTerminal(): Terminal {
  return {
    interactive: Deno.stdout.isTerminal(),
    get columns() {
      try {
        return Deno.consoleSize().columns || DEFAULT_COLUMNS;
      } catch {
        return DEFAULT_COLUMNS; // not a terminal
      }
    },
    out: (text) => print(Deno.stdout, text),
    error: (text) => print(Deno.stderr, text),
    async ask(question) {
      if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) return undefined;
      print(Deno.stdout, question);
      const buffer = new Uint8Array(MAX_LINE);
      const length = await Deno.stdin.read(buffer);
      return length === null ? undefined : new TextDecoder().decode(buffer.subarray(0, length)).trim();
    },
    onSignal(signal, run) {
      Deno.addSignalListener(signal, run);
      return { [Symbol.dispose]: () => Deno.removeSignalListener(signal, run) };
    },
  };
}

function print(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(to.writeSync(bytes));
  } catch (error) {
    // Whoever read our output has seen enough, or closed the terminal.
    const isGone = error instanceof Deno.errors.BrokenPipe || (error as { code?: string }).code === "EIO";
    if (!isGone) throw error;
  }
}
