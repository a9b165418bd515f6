/** A Weft in a process of its own, with a tracker and few descriptors, for attacks on its servers. @module */
import { RunningWeft, WEFT } from "../../tests/support/running_weft.ts";

/** It, and how it is asked. */
export interface TrackerProcess extends AsyncDisposable {
  readonly running: RunningWeft;
  /** The tracker's port on 127.0.0.1. */
  readonly port: number;
  /** The path of the control socket. */
  readonly socket: string;
  /** Asks for the tracker's page. How long its answer took (ms); none came in time where that is infinite. */
  ask(): Promise<number>;
  /** Runs `weft status`, and returns whether it was answered. */
  status(): Promise<boolean>;
}

// An answer that takes longer than this never comes (ms).
const PATIENCE = 5_000;

/** Starts it with at most `descriptors` open files and sockets. */
export async function startTracker(descriptors: number): Promise<TrackerProcess> {
  const folder = await Deno.makeTempDir({ prefix: "weft-hostile-" });
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  await Deno.writeTextFile(
    `${folder}/weft.yaml`,
    `listen: "127.0.0.1:0"
plugins:
  - use: tcp
  - use: tracker_server
    with: { listen: "127.0.0.1:${port}", udp: false }
`,
  );
  const command = ["bash", "-c", `ulimit -n ${descriptors}; exec "$@"`, "bash", ...WEFT, "run", "weft.yaml"];
  const running = new RunningWeft(folder, command);
  await running.says(/^listening on/);
  return {
    running,
    port,
    socket: `${folder}/weft.db.sock`,
    async ask(): Promise<number> {
      const began = performance.now();
      try {
        const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(PATIENCE) });
        await response.text();
        return performance.now() - began;
      } catch {
        return Infinity;
      }
    },
    async status(): Promise<boolean> {
      const [program, ...args] = [...WEFT, "status", "--state", `${folder}/weft.db`];
      const { success } = await new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" })
        .output();
      return success;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await running[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
