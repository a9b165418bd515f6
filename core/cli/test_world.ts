/** The command line in memory, with a {@link FakeRuntime} behind it. @module */
import { definePlugin, hostPort, list, object, type Plugin } from "../api/mod.ts";
import { createSimulation, type MemoryHost, MemoryTerminal, type Simulation } from "../host/memory/mod.ts";
import { FakeRuntime } from "../../tests/support/fake_runtime.ts";
import { type Environment, main } from "./mod.ts";
// Loaded before time is simulated: an import takes real time.
import "../config/yaml_document.ts";

const builtins = {
  tcp: () => Promise.resolve({ default: plugin("tcp", object({}), { provides: ["transports"] }) }),
  peers: () =>
    Promise.resolve({
      default: plugin("peers", object({ peers: list(hostPort()) }), {
        example: { peers: ["192.0.2.7:6881"] },
        provides: ["peers.discover"],
      }),
    }),
  needy: () => Promise.resolve({ default: plugin("needy", object({}), { needs: ["transports"] }) }),
};

function plugin<T>(
  name: string,
  config: Parameters<typeof definePlugin<T>>[0]["config"],
  more: Pick<Plugin, "example" | "needs" | "provides">,
) {
  return definePlugin({ name, summary: `Does what ${name} does`, config, ...more, setup() {} });
}

/** A machine with the command line on it. */
export interface World {
  readonly simulation: Simulation;
  readonly host: MemoryHost;
  readonly terminal: MemoryTerminal;
  readonly runtime: FakeRuntime;
  /** What the runtime was started with. */
  readonly started: Parameters<Environment["start"]>[0][];
  /** Starts a command; its exit code. */
  weft(...args: string[]): Promise<number>;
  /** Runs a command to its end; its exit code, and what it wrote. */
  done(...args: string[]): Promise<{ code: number; out: string; error: string }>;
}

/** Runs `body` with a folder "/home" to work in; `whileStarting` is called as the runtime starts. */
export async function inWorld(
  body: (world: World) => Promise<void>,
  options?: { interactive: boolean },
  whileStarting: (terminal: MemoryTerminal) => void = () => {},
): Promise<void> {
  using simulation = createSimulation({ seed: 7 });
  const host = simulation.host("here");
  const terminal = new MemoryTerminal(options);
  const runtime = new FakeRuntime();
  const started: World["started"] = [];
  const environment: Environment = {
    host,
    terminal,
    builtins,
    version: "1.2.3",
    cwd: "/home",
    temporary: "/tmp",
    start: (options) => {
      started.push(options);
      whileStarting(terminal);
      return Promise.resolve(runtime);
    },
  };
  const weft = (...args: string[]) => main(args, environment);
  const done = async (...args: string[]) => {
    const [outBefore, errorsBefore] = [terminal.output.length, terminal.errors.length];
    const code = await simulation.complete(weft(...args));
    return { code, out: terminal.output.slice(outBefore), error: terminal.errors.slice(errorsBefore) };
  };
  await simulation.complete(host.disk.makeDirectory("/home"));
  await body({ simulation, host, terminal, runtime, started, weft, done });
}

/** Writes a file, and its folder. */
export async function write({ simulation, host }: World, path: string, bytes: Uint8Array | string): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  const content = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  await simulation.complete(host.disk.makeDirectory(folder).then(() => host.disk.writeFile(path, content)));
}
