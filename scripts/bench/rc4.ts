/**
 * Measures RC4: in JavaScript, in WebAssembly, and as streams use it, in MB/s, for reads and writes of several sizes,
 * in the round that was disturbed least: `deno task bench rc4`. `deno task bench transfer --clients weft,weft-rc4` shows
 * what it does to transfers.
 *
 * @module
 */
import { cryptSlowly, Rc4, RC4_STATE_SIZE } from "../../plugins/mse/rc4.ts";
import { createRc4Module, groupStartsIn } from "../../plugins/mse/rc4_wasm.ts";

// Bytes for each figure and round: a few milliseconds, so that some of them pass undisturbed.
const AMOUNT = 2 * 1024 * 1024;
const ROUNDS = 100;
const SIZES = [64, 256, 512, 1024, 4 * 1024, 16 * 1024, 128 * 1024];

/** Bytes of state for the bare loops; what it holds makes no difference to their speed. */
const state = Uint8Array.from({ length: RC4_STATE_SIZE }, (_, i) => i * 167 + 13);
cryptSlowly(state, new Uint8Array(groupStartsIn(state)), new Uint8Array(groupStartsIn(state)));
const inWasm = createRc4Module();
const rc4 = new Rc4(state.subarray(0, 20));
const ways: Readonly<Record<string, (bytes: Uint8Array) => void>> = {
  JavaScript: (bytes) => cryptSlowly(state, bytes, bytes),
  WebAssembly: (bytes) => void inWasm(state, bytes, bytes, 0),
  Rc4: (bytes) => rc4.crypt(bytes),
};

const rates = new Map<string, number>();
for (let round = 0; round < ROUNDS; round++) {
  for (const size of SIZES) {
    // One after the other in each round, so that what disturbs the machine disturbs all alike.
    for (const [name, crypt] of Object.entries(ways)) {
      const bytes = new Uint8Array(size);
      const began = performance.now();
      for (let done = 0; done < AMOUNT; done += size) crypt(bytes);
      const rate = AMOUNT / 1000 / (performance.now() - began);
      const key = `${name} ${size}`;
      rates.set(key, Math.max(rates.get(key) ?? 0, rate));
    }
  }
}

console.log(["bytes", ...Object.keys(ways)].map((title) => title.padStart(12)).join(""));
for (const size of SIZES) {
  const row = Object.keys(ways).map((name) => rates.get(`${name} ${size}`)!.toFixed(0));
  console.log([`${size}`, ...row].map((cell) => cell.padStart(12)).join(""));
}
