import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url).pathname;
/** A Weft that doesn't say what it should is killed, so that the test fails instead of waiting; milliseconds. */
const PATIENCE = 60_000;

/** The command line of Weft under the Deno that runs the tests, with the permissions that the README shows. */
export const WEFT: readonly string[] = [
  Deno.execPath(),
  "run",
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env=LOG_STREAM,LOG_TOKENS",
  `${root}mod.ts`,
];

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a command to its end, in the folder `cwd`. */
export async function run(cwd: string, [program, ...args]: readonly string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd, stdin: "null" }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), error: text.decode(stderr) };
}

/** The lines of one stream, and how many of them were waited for. */
interface Lines {
  readonly lines: string[];
  seen: number;
}

/** A command that goes on running, and the lines that it writes. */
export class RunningWeft implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  /** Each by itself: which of two streams arrives first says nothing. */
  readonly #streams: readonly Lines[] = [{ lines: [], seen: 0 }, { lines: [], seen: 0 }];
  readonly #written: Promise<unknown>;
  readonly #patience: ReturnType<typeof setTimeout>;
  #ended = false;
  #wake = Promise.withResolvers<void>();

  constructor(cwd: string, [program, ...args]: readonly string[]) {
    this.#child = new Deno.Command(program, { args, cwd, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
    this.#patience = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE);
    const { stdout, stderr } = this.#child;
    this.#written = Promise.all([stdout, stderr].map((stream, i) => this.#read(stream, this.#streams[i]))).then(() => {
      this.#ended = true;
      this.#wake.resolve();
    });
  }

  /** Resolves at the next line that fits, after those of its stream that were waited for before. */
  async says(pattern: RegExp): Promise<string> {
    while (true) {
      for (const stream of this.#streams) {
        const index = stream.lines.findIndex((line, i) => i >= stream.seen && pattern.test(line));
        if (index < 0) continue;
        stream.seen = index + 1;
        return stream.lines[index];
      }
      assert.ok(!this.#ended, `${pattern} was not said:\n${this.lines.join("\n")}`);
      await this.#wake.promise;
    }
  }

  /** What it has written, line by line. */
  get lines(): readonly string[] {
    return this.#streams.flatMap(({ lines }) => lines);
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Its exit code, once it has ended. */
  async end(): Promise<number> {
    const { code } = await this.#child.status;
    clearTimeout(this.#patience);
    await this.#written;
    return code;
  }

  /** Ends it if it still runs, since a test failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.end();
  }

  async #read(stream: ReadableStream<Uint8Array>, { lines }: Lines): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      lines.push(...parts);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    }
  }
}
