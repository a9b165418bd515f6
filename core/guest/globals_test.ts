import assert from "node:assert/strict";
import {
  ALLOWED_DENO,
  ALLOWED_GLOBALS,
  ALLOWED_NAVIGATOR,
  DENIED_DENO,
  DENIED_GLOBALS,
  DENIED_NAVIGATOR,
} from "./globals.ts";
import { inSandbox } from "./test_guest.ts";

/** An expression for the names, by where they stand, that any code finds in its realm. */
const WALK = `(() => {
  const names = (object) => object == null ? [] : Object.getOwnPropertyNames(object)
    .filter((name) => { try { return object[name] !== undefined || object === globalThis && name === "undefined"; } catch { return true; } });
  const scopes = [];
  for (let scope = Object.getPrototypeOf(globalThis); scope && scope !== Object.prototype; scope = Object.getPrototypeOf(scope)) {
    scopes.push(...names(scope));
  }
  const parent = Object.getPrototypeOf(navigator);
  return {
    globals: names(globalThis),
    scopes,
    deno: names(Deno),
    navigator: [...names(navigator), ...parent === Object.prototype ? [] : names(parent)],
    permissions: [...names(Deno.permissions), ...Object.getPrototypeOf(Deno.permissions) === Object.prototype ? [] : names(Object.getPrototypeOf(Deno.permissions))],
    crypto: names(Object.getPrototypeOf(crypto)),
    subtle: names(Object.getPrototypeOf(crypto.subtle)),
    performance: names(Object.getPrototypeOf(performance)),
    wasm: names(WebAssembly),
    atomics: names(Atomics),
    location: [...names(location), ...names(Object.getPrototypeOf(location))],
    process: names(process),
  };
})()`;

type Found = Readonly<Record<string, readonly string[]>>;

/** What may stand where no list of names takes anything away. */
const JUDGED: Readonly<Record<string, readonly string[]>> = {
  // The methods of events, and the worker's own class.
  scopes: ["constructor", "addEventListener", "removeEventListener", "dispatchEvent", "getParent"],
  permissions: ["constructor", "query", "querySync", "request", "requestSync", "revoke", "revokeSync"],
  crypto: ["constructor", "subtle", "getRandomValues", "randomUUID"],
  subtle: [
    ...["constructor", "encrypt", "decrypt", "sign", "verify", "digest", "generateKey", "deriveKey", "deriveBits"],
    ...["importKey", "exportKey", "wrapKey", "unwrapKey"],
    ...["encapsulateBits", "encapsulateKey", "decapsulateBits", "decapsulateKey", "getPublicKey"],
  ],
  performance: [
    ...["constructor", "timeOrigin", "clearMarks", "clearMeasures", "clearResourceTimings", "getEntries"],
    ...["setResourceTimingBufferSize", "getEntriesByName", "getEntriesByType", "mark", "measure", "now", "toJSON"],
    ...["eventLoopUtilization", "nodeTiming", "timerify", "markResourceTiming", "onresourcetimingbufferfull"],
  ],
  wasm: [
    ...["compile", "validate", "instantiate", "compileStreaming", "instantiateStreaming", "Module", "Instance"],
    ...["Table", "Memory", "Global", "Tag", "JSTag", "Exception", "CompileError", "LinkError", "RuntimeError"],
    ...["promising", "Suspending", "SuspendError"],
  ],
  atomics: [
    ...["load", "store", "add", "sub", "and", "or", "xor", "exchange", "compareExchange", "isLockFree", "wait"],
    ...["waitAsync", "notify", "pause"],
  ],
  location: [
    ...["constructor", "href", "origin", "protocol", "host", "hostname", "port", "pathname", "search", "hash"],
    ...["toString"],
  ],
};
/** Of the sandbox's own, which loops call and modules begin with. */
const OWN = ["__weftSafepoint", "__weftMeta"];

/** A Deno's own worker, before anything is taken away. */
async function bare(): Promise<Found> {
  const source = `import process from "node:process"; globalThis.process ??= process; self.postMessage(${WALK});`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
  } finally {
    worker.terminate();
  }
}

const beyond = (names: readonly string[], ...sets: readonly Iterable<string>[]): string[] => {
  const known = new Set(sets.flatMap((set) => [...set]));
  return names.filter((name) => name !== "" && !known.has(name));
};

Deno.test("every name that Deno gives a worker was judged: sort a new one into globals.ts", async () => {
  const found = await bare();
  assert.deepEqual(beyond(found.globals, ALLOWED_GLOBALS, DENIED_GLOBALS), []);
  assert.deepEqual(beyond(found.deno, ALLOWED_DENO, DENIED_DENO), []);
  assert.deepEqual(beyond(found.navigator, ALLOWED_NAVIGATOR, DENIED_NAVIGATOR), []);
  for (const [place, names] of Object.entries(JUDGED)) assert.deepEqual(beyond(found[place], names), [], place);
});

Deno.test("no name is both allowed and denied", () => {
  assert.deepEqual([...ALLOWED_GLOBALS.intersection(DENIED_GLOBALS)], []);
  assert.deepEqual([...ALLOWED_DENO.intersection(DENIED_DENO)], []);
  assert.deepEqual([...ALLOWED_NAVIGATOR.intersection(DENIED_NAVIGATOR)], []);
});

for (const kind of ["worker", "process"] as const) {
  Deno.test(`a plugin in a ${kind} finds no name but those that are allowed`, async () => {
    const found = await inSandbox(kind, `return ${WALK};`) as Found;
    assert.deepEqual(beyond(found.globals, ALLOWED_GLOBALS, OWN), []);
    assert.deepEqual(beyond(found.deno, ALLOWED_DENO), []);
    assert.deepEqual(beyond(found.navigator, ALLOWED_NAVIGATOR), []);
    assert.deepEqual(beyond(found.permissions, ["query", "querySync"]), []);
    assert.deepEqual(beyond(found.process, ["nextTick", "emitWarning", "noDeprecation", "env"]), []);
    for (const name of ["Deno", "fetch", "setTimeout", "WebAssembly"]) assert.ok(found.globals.includes(name), name);
  });
}
