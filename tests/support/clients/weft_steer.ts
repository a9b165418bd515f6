/**
 * A plugin that lets a test steer the Weft it runs in, as `Steered` does: lines of JSON in, lines of JSON out. With
 * `dht: true` it is a DHT node itself, in the place of `use: dht`, whose items can be asked for.
 *
 * @module
 */
import {
  admitPeers,
  boolean,
  byteString,
  decode,
  definePlugin,
  ed25519PublicKey,
  encode,
  fromByteString,
  fromHex,
  hostPort,
  integer,
  list,
  object,
  oneOf,
  peerClosed,
  peerConnected,
  type PluginScope,
  type Schema,
  swarmState,
  toHex,
  withDefault,
} from "weft";
import { mutableTarget, signItem } from "../../../plugins/dht/items.ts";
import { createDhtNode, type DhtNode } from "../../../plugins/dht/node.ts";

const config = object({
  dht: boolean({ default: false }),
  bootstrap: list(hostPort(), { default: [] }),
  secure: withDefault(oneOf("off", "prefer", "require"), "off"),
  read_only: boolean({ default: false }),
  queries_per_address: integer({ default: 100, min: 1 }),
  queries: integer({ default: 1000, min: 1 }),
});
type Config = typeof config extends Schema<infer C> ? C : never;

/** A request, as `Steered.ask` writes it; bytes are hex. */
interface Request {
  readonly id: number;
  readonly do: string;
  readonly target: string;
  readonly infoHash: string;
  readonly value: string;
  readonly seed: string;
  readonly salt?: string;
  readonly seq: number;
  readonly port: number;
}

export default definePlugin({
  name: "weft_steer",
  config,
  async setup(plugin: PluginScope<Config>): Promise<void> {
    const node = plugin.config.dht ? await createDhtNode(plugin) : undefined;
    const sources: Record<string, string[]> = {};
    const connected = new Map<string, { address: string; incoming: boolean }>();
    const states: Record<string, string> = {};
    plugin.on(admitPeers, ({ source, addresses }) => {
      for (const address of addresses) {
        const known = sources[address.key] ??= [];
        if (!known.includes(source)) known.push(source);
      }
      return undefined;
    });
    plugin.on(peerConnected, ({ address, incoming }) => {
      connected.set(address.key, { address: address.key, incoming });
    });
    plugin.on(peerClosed, ({ address }) => void connected.delete(address.key));
    plugin.on(swarmState, ({ id, state }) => {
      states[id.hex] = state;
    });
    const commands: Record<string, (request: Request) => unknown> = {
      status: () => ({ states, sources, peers: [...connected.values()] }),
      ...(node && dhtCommands(node)),
    };
    answerRequests(commands, plugin.signal);
  },
});

function dhtCommands(node: DhtNode): Record<string, (request: Request) => unknown> {
  return {
    nodes: () => node.machine.size,
    put_immutable: async ({ value }) => {
      const { target, taken } = await node.putItem({ v: encode(fromHex(value)) });
      return { target: hex(target), nodes: taken };
    },
    get_immutable: async ({ target }) => valueOf((await node.getItem(byteString(fromHex(target))))?.v),
    put_mutable: async ({ seed, value, salt, seq }) => {
      const k = ed25519PublicKey(fromHex(seed));
      const unsigned = { v: encode(fromHex(value)), seq, ...(salt !== undefined && { salt: fromHex(salt) }) };
      const { target, taken } = await node.putItem(signItem(fromHex(seed), k, unsigned));
      return { target: hex(target), public: toHex(k), nodes: taken };
    },
    get_mutable: async (request) => {
      const salt = request.salt === undefined ? undefined : fromHex(request.salt);
      const item = await node.getItem(mutableTarget(fromHex(request.target), salt), { ...(salt && { salt }) });
      return item ? { value: valueOf(item.v), seq: item.seq } : null;
    },
    scrape: ({ infoHash }) => node.scrape(byteString(fromHex(infoHash))),
    sample: async ({ target }) => [...await node.sampleInfohashes(byteString(fromHex(target)))].map(hex),
  };
}

function hex(id: string): string {
  return toHex(fromByteString(id));
}

/** The bytes of an item whose value is a string. */
function valueOf(v: Uint8Array | undefined): string | null {
  const value = v && decode(v);
  return value instanceof Uint8Array ? toHex(value) : null;
}

async function answerRequests(
  commands: Record<string, (request: Request) => unknown>,
  signal: AbortSignal,
): Promise<void> {
  const answer = (reply: unknown): void => console.log(JSON.stringify(reply));
  answer({ id: 0, result: Deno.pid });
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream(), { signal })) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const line of parts) {
      const request = JSON.parse(line) as Request;
      const run = async (): Promise<unknown> => await commands[request.do](request);
      run().then(
        (result = null) => answer({ id: request.id, result }),
        (error) => answer({ id: request.id, error: `${error}` }),
      );
    }
  }
}
