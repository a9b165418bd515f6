/**
 * What runs in a sandbox's process: a go-between that starts the worker with the plugin, carries its messages over the
 * standard streams, and ends when the memory is used up or Weft is gone. Started by
 * core/host/deno/isolates/process.ts.
 *
 * @module
 */
import { encodeFrame, readFrames } from "../host/deno/isolates/frames.ts";
import type { ProcessFrame, ProcessStart } from "../host/deno/isolates/process.ts";
import { startWorker } from "../host/deno/isolates/worker.ts";

// How often memory is measured (ms): at full speed a thread fills some 100 MiB between two looks.
const MEMORY_INTERVAL = 25;

const output = Deno.stdout.writable.getWriter();
let last = Promise.resolve();

/** Sends a frame behind those that wait. */
function send(frame: ProcessFrame): void {
  let bytes: Uint8Array;
  try {
    bytes = encodeFrame(frame);
  } catch (error) {
    return exit(`it sent what is no plain data: ${(error as Error).message}`);
  }
  last = output.write(bytes).catch(() => Deno.exit(1)); // nobody reads it any more
}

function exit(reason: string): void {
  send({ end: reason });
  void last.then(() => Deno.exit(1));
  // Without a reader the last frame never leaves.
  setTimeout(() => Deno.exit(1), 200);
}

async function run(): Promise<void> {
  const frames = readFrames(Deno.stdin.readable);
  const { permissions, code, memory } = (await frames.next()).value as ProcessStart;
  setInterval(() => {
    const { rss } = Deno.memoryUsage();
    if (rss > memory) exit(`it used ${rss >> 20} MiB of memory, where its entry allows ${memory >> 20} MiB`);
  }, MEMORY_INTERVAL);
  const worker = await startWorker({
    kind: "process",
    permissions,
    code,
    onMessage: (message) => send({ message }),
    onEnd: (reason) => exit(reason.message),
  });
  send({ up: true });
  for await (const message of frames) worker.post(message);
  Deno.exit(0); // Weft closed the stream, or is gone
}

run().catch((error) => exit(String(error)));
