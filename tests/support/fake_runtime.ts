import {
  type AddSwarm,
  CommandError,
  type PlanChange,
  type PluginSnapshot,
  type ReloadPlan,
  type Runtime,
  type RuntimeEvent,
  type RuntimeSnapshot,
  type Settings,
  type SwarmDetail,
  type SwarmFile,
  type SwarmSnapshot,
  type UpdateSwarm,
} from "../../core/api/mod.ts";
import { parseMagnet, parseMetainfo } from "../../core/wire/mod.ts";

/** A runtime without swarms behind it: it does as it is told, and a test sets what its swarms are doing. */
export class FakeRuntime implements Runtime {
  readonly swarms = new Map<string, SwarmDetail>();
  /** Every command with its arguments. */
  readonly calls: [command: string, ...args: unknown[]][] = [];
  readonly #events: RuntimeEvent[] = [];
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  /** What a reload would change. */
  changes: readonly PlanChange[] = [];
  /** Why a reload or a plan is refused. */
  refusal: Error | undefined;
  plugins: readonly PluginSnapshot[] = [
    { name: "tcp", use: "tcp", state: "running", isolate: "none", generation: 1, holds: 0, hooks: [] },
  ];
  stopped = false;

  add(request: AddSwarm): Promise<SwarmSnapshot> {
    this.calls.push(["add", request]);
    const { id, name, length } = typeof request.source === "string"
      ? { id: parseMagnet(request.source).id, name: parseMagnet(request.source).name ?? "", length: 0 }
      : parseMetainfo(request.source).info;
    const state = request.existing === "check" ? "checking" as const : "downloading" as const;
    const swarm = {
      ...emptySwarm,
      state,
      id: id.key,
      name,
      length,
      wanted: length,
      path: request.path ?? "/downloads",
    };
    this.swarms.set(swarm.id, swarm);
    this.tell("swarm.added", swarm.id);
    return Promise.resolve(swarm);
  }

  remove(id: string, options?: { readonly deleteData?: boolean }): Promise<void> {
    this.calls.push(["remove", id, options]);
    this.swarms.delete(this.swarm(id).id);
    return Promise.resolve();
  }

  async update(id: string, change: UpdateSwarm): Promise<SwarmSnapshot> {
    this.calls.push(["update", id, change]);
    return await this.swarm(id);
  }

  recheck(id: string): Promise<void> {
    this.calls.push(["recheck", id]);
    return Promise.resolve();
  }

  addPeers(id: string, peers: readonly string[]): Promise<void> {
    this.calls.push(["addPeers", id, peers]);
    return Promise.resolve();
  }

  openFile(id: string, index: number): Promise<SwarmFile> {
    this.calls.push(["openFile", id, index]);
    return Promise.reject(new CommandError(`Cannot open file ${index}: "${id}" has no such file`));
  }

  announce(id: string): Promise<void> {
    this.calls.push(["announce", id]);
    return Promise.resolve();
  }

  plan(settings: Settings): Promise<ReloadPlan> {
    this.calls.push(["plan", settings]);
    return this.#answer();
  }

  reload(settings: Settings): Promise<ReloadPlan> {
    this.calls.push(["reload", settings]);
    return this.#answer();
  }

  #answer(): Promise<ReloadPlan> {
    return this.refusal ? Promise.reject(this.refusal) : Promise.resolve({ changes: this.changes });
  }

  snapshot(): RuntimeSnapshot {
    return {
      sequence: this.#events.length,
      version: "1.2.3",
      started: 0,
      generation: 1,
      listening: ["[::]:6881"],
      down: 0,
      up: 0,
      connections: 0,
      memory: { pieces: 1024 },
      swarms: [...this.swarms.values()],
      plugins: this.plugins,
    };
  }

  swarm(id: string): SwarmDetail {
    const found = [...this.swarms.values()].filter((swarm) => swarm.id.startsWith(id));
    if (found.length !== 1) throw new CommandError(`There is no swarm "${id}"`);
    return found[0];
  }

  subscribe(listener: (event: RuntimeEvent) => void, since: number = this.#events.length): Disposable {
    for (const event of this.#events.slice(since)) listener(event);
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  stop(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }

  /** How many listen to events. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Changes what the only swarm is doing, and tells. */
  change(change: Partial<SwarmDetail>): void {
    const [swarm] = this.swarms.values();
    this.swarms.set(swarm.id, { ...swarm, ...change });
    this.tell("swarm.state", swarm.id, { state: change.state });
  }

  /** Something happened. */
  tell(event: string, swarm: string, data: Record<string, unknown> = {}): void {
    const whole = { sequence: this.#events.length + 1, time: 0, event, swarm, data };
    this.#events.push(whole);
    for (const listener of this.#listeners) listener(whole);
  }
}

export const emptySwarm: SwarmDetail = {
  id: "",
  name: "",
  state: "downloading",
  origin: "user",
  path: "",
  private: false,
  sequential: false,
  length: 0,
  wanted: 0,
  done: 0,
  wantedDone: 0,
  pieces: 4,
  piecesDone: 0,
  pieceLength: 16384,
  down: 0,
  up: 0,
  downloaded: 0,
  uploaded: 0,
  wasted: 0,
  ratio: 0,
  connected: 0,
  candidates: 0,
  seeds: 0,
  trackers: [],
  files: [],
  peers: [],
  bitfield: "",
  availability: [],
  sources: [],
};
