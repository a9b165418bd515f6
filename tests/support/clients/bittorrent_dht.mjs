// webtorrent's DHT nodes (bittorrent-dht), steered by lines of JSON: bittorrent_dht.mjs FOLDER-WITH-NODE_MODULES OPTIONS.
// Options: `listen` is a list of addresses, one for each node; `bootstrap` of `host:port`.
// Each line read is {"id", "do", "node": index, ...}; each answer {"id", "result"} or {"id", "error"}. Bytes are hex.
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import process from "node:process";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, json] = process.argv.slice(2);
const { listen, bootstrap } = JSON.parse(json);
const { Client } = await import(pathToFileURL(`${folder}/node_modules/bittorrent-dht/index.js`).href);

const bytes = (hex) => Buffer.from(hex, "hex");
const hex = (value) => value && Buffer.from(value).toString("hex");
/** Turns a raw Ed25519 seed or public key into node's own form. */
const seedHeader = bytes("302e020100300506032b657004220420");
const publicHeader = bytes("302a300506032b6570032100");
const privateKey = (seed) =>
  createPrivateKey({ key: Buffer.concat([seedHeader, bytes(seed)]), format: "der", type: "pkcs8" });
const publicKey = (raw) => createPublicKey({ key: Buffer.concat([publicHeader, raw]), format: "der", type: "spki" });
const verifies = (signature, message, key) => verify(null, message, publicKey(key), signature);
/** A callback's outcome as a promise. */
const called = (act) =>
  new Promise((resolve, reject) => act((error, ...results) => error ? reject(error) : resolve(results)));

const nodes = await Promise.all(listen.map(async ({ host, port }) => {
  const node = new Client({ bootstrap, verify: verifies });
  node.on("error", (error) => console.error(error));
  await new Promise((resolve) => node.listen(port, host, resolve));
  return node;
}));

const commands = {
  nodes: (node) => node.nodes.toArray().length,
  add_nodes: (node, { addresses }) => {
    for (const address of addresses) {
      const [host, port] = address.split(":");
      node.addNode({ host, port: Number(port) });
    }
  },
  announce: (node, { infoHash, port }) => called((done) => node.announce(infoHash, port, done)),
  get_peers: async (node, { infoHash }) => {
    const found = new Set();
    const onPeer = ({ host, port }) => found.add(`${host}:${port}`);
    node.on("peer", onPeer);
    await called((done) => node.lookup(infoHash, done));
    node.off("peer", onPeer);
    return [...found];
  },
  put_immutable: async (node, { value }) => {
    const [target, stored] = await called((done) => node.put({ v: bytes(value) }, done));
    return { target: hex(target), nodes: stored };
  },
  get_immutable: async (node, { target }) => {
    const [found] = await called((done) => node.get(target, { cache: false }, done));
    return hex(found?.v) ?? null;
  },
  put_mutable: async (node, { seed, value, salt, seq }) => {
    const secret = privateKey(seed);
    const k = createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(publicHeader.length);
    const item = { k, seq, v: bytes(value), sign: (message) => sign(null, message, secret) };
    const [target, stored] = await called((done) => node.put(salt ? { ...item, salt: bytes(salt) } : item, done));
    return { target: hex(target), public: hex(k), nodes: stored };
  },
  get_mutable: async (node, { target, salt }) => {
    const options = { cache: false, ...(salt ? { salt: bytes(salt) } : {}) };
    const [found] = await called((done) => node.get(target, options, done));
    return found ? { value: hex(found.v), seq: found.seq } : null;
  },
};

const answer = (reply) => console.log(JSON.stringify(reply));
answer({ id: 0, result: nodes.map((node) => node.address().port) });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const run = async () => await commands[request.do](nodes[request.node ?? 0], request);
  run().then(
    (result = null) => answer({ id: request.id, result }),
    (error) => answer({ id: request.id, error: String(error) }),
  );
}
process.exit(0);
