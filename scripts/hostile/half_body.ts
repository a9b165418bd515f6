/**
 * Half a request's body on the control socket, and half a head beside it: a stop must not wait for the rest.
 *
 * `deno task hostile half_body`
 *
 * @module
 */
import { startTracker } from "./tracker_process.ts";

// From SIGINT to the process's end (ms).
const BOUND = 2_000;
// It would be waited for in vain.
const LONGEST = 40_000;

const halves = {
  "nothing half": [],
  "half a body": ["POST /add HTTP/1.1\r\nhost: weft\r\ncontent-length: 100\r\n\r\nhalf"],
  "half a head": ["POST /add HTTP/1.1\r\nhost:"],
  "50 halves of bodies": Array<string>(50).fill("POST /add HTTP/1.1\r\nhost: weft\r\ncontent-length: 100\r\n\r\nhalf"),
};

let failed = false;
for (const [what, requests] of Object.entries(halves)) {
  await using weft = await startTracker(1_024);
  const sockets: Deno.Conn[] = [];
  for (const request of requests) {
    const socket = await Deno.connect({ transport: "unix", path: weft.socket });
    await socket.write(new TextEncoder().encode(request));
    sockets.push(socket);
  }
  const began = performance.now();
  weft.running.signal("SIGINT");
  const late = setTimeout(() => weft.running.signal("SIGKILL"), LONGEST);
  await weft.running.end();
  clearTimeout(late);
  const took = performance.now() - began;
  for (const socket of sockets) socket.close();
  failed ||= took > BOUND;
  console.log(`SIGINT with ${what.padEnd(20)} ${took.toFixed(0).padStart(6)} ms  (at most ${BOUND})`);
}
if (failed) Deno.exit(1);
