/**
 * RC4 in WebAssembly, written out byte by byte: nearly twice as fast as JavaScript. V8 checks no bounds there, sixteen
 * bytes of keystream meet the data at once, and `S[i]` is read ahead.
 *
 * Reading ahead is what makes it fast. Each step needs `S[i]` to know its `j`, and a processor that has seen a few swaps
 * change what is read next no longer reads `S[i]` before it knows where the swaps before it went: step waits for step.
 * So the code reads a few steps early, and only where a swap did fall among what was read, it reads that again: a branch
 * that is seldom taken, behind which the processor may run on.
 *
 * @module
 */

/**
 * Continues an RC4 stream from index `at` on, where {@link groupStartsIn} must be 0: changes `state`, and returns the
 * index after the last whole group of {@link GROUP} bytes.
 */
export type CryptInWasm = (state: Uint8Array, from: Uint8Array, into: Uint8Array, at: number) => number;

/** Bytes done at once: as many as a vector holds. */
const GROUP = 16;
// How many steps early S[i] is read: with less, steps still wait; with more, too much is read in vain.
const AHEAD = 3;

// The module's memory: the state (the permutation, i, j), then the data.
const I = 256;
const J = 257;
const STATE_SIZE = 258;
const DATA = 512;
// As much as stays in a core's nearest cache with what it comes from and goes to.
const SLICE = 16 * 1024;
const PAGES = 1; // of 64 KiB

/** How many bytes come before the next group: its places in S lie side by side, from a multiple of {@link GROUP} on. */
export function groupStartsIn(state: Uint8Array): number {
  return GROUP - 1 - state[I] % GROUP;
}

/** Compiles the module; its memory is used by one call at a time. */
export function createRc4Module(): CryptInWasm {
  const { memory, crypt } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports as {
    memory: WebAssembly.Memory;
    crypt: (from: number, to: number) => void;
  };
  const bytes = new Uint8Array(memory.buffer);
  const inside = bytes.subarray(0, STATE_SIZE);
  return (state, from, into, at) => {
    const whole = from.length - (from.length - at) % GROUP;
    if (whole <= at) return at;
    inside.set(state);
    for (; at < whole; at += SLICE) {
      const end = Math.min(whole, at + SLICE);
      bytes.set(from.subarray(at, end), DATA);
      crypt(DATA, DATA + end - at);
      into.set(bytes.subarray(DATA, DATA + end - at), at);
    }
    state.set(inside);
    return whole;
  };
}

// Instructions, as the WebAssembly specification encodes them (section 5.4).
const I32 = 0x7f;
const V128 = 0x7b;
const end = 0x0b;
const loop = [0x03, 0x40];
const when = [0x04, 0x40];
const repeatIf = [0x0d, 0x00];
const i32LessThan = 0x49;
const i32Add = 0x6a;
const i32Subtract = 0x6b;
const i32And = 0x71;
const local = (index: number): number[] => [0x20, index];
const setLocal = (index: number): number[] => [0x21, index];
const teeLocal = (index: number): number[] => [0x22, index];
const i32 = (value: number): number[] => [0x41, ...signed(value)];
// An offset is added to the address; no alignment is promised.
const loadByte = (offset = 0): number[] => [0x2d, 0, offset];
const storeByte = (offset = 0): number[] => [0x3a, 0, offset];
const loadVector = [0xfd, 0, 0, 0];
const storeVector = [0xfd, 11, 0, 0];
const loadLane = (lane: number): number[] => [0xfd, 84, 0, 0, lane];
const vectorXor = [0xfd, 81];

/** `crypt(at, end)`: RC4 over the memory between, at least one group, whole groups. */
function cryptBody(): number[] {
  const [at, until, places, j, placeJ, b, firstA] = [0, 1, 2, 3, 4, 5, 6];
  const keystream = firstA + GROUP;
  const masked = [...i32(0xff), i32And];
  // a = S[i], for the step's i
  const readA = (step: number): number[] => [...local(places), ...loadByte(step), ...setLocal(firstA + step)];
  const readAgain = (from: number, count: number): number[] => [
    // where j - (i + 1) < count, unsigned, the swap went to what is read already
    ...[...local(placeJ), ...local(places), i32Subtract, ...i32(from), i32Subtract, ...i32(count), i32LessThan],
    ...[...when, ...times(count, (k) => readA(from + k)), end],
  ];
  const keystreamByte = (step: number): number[] => {
    const a = firstA + step;
    const ahead = Math.min(AHEAD, GROUP - 1 - step);
    return [
      // j += a; b = S[j]: j itself is left to grow, so that the next step need not wait for the mask
      ...[
        ...local(a),
        ...local(j),
        i32Add,
        ...teeLocal(j),
        ...masked,
        ...teeLocal(placeJ),
        ...loadByte(),
        ...setLocal(b),
      ],
      ...(ahead === AHEAD ? readA(step + AHEAD) : []),
      // S[i] = b; S[j] = a
      ...[...local(places), ...local(b), ...storeByte(step), ...local(placeJ), ...local(a), ...storeByte()],
      ...(ahead > 0 ? readAgain(step + 1, ahead) : []),
      // keystream[step] = S[a + b]
      ...[...local(a), ...local(b), i32Add, ...masked, ...local(keystream), ...loadLane(step), ...setLocal(keystream)],
    ];
  };
  const locals = [2, 4 + GROUP, I32, 1, V128]; // places to the last a; keystream
  return [
    ...locals,
    // The group's places in S are those from i + 1 on.
    ...[...i32(I), ...loadByte(), ...i32(1), i32Add, ...masked, ...setLocal(places)],
    ...[...i32(J), ...loadByte(), ...setLocal(j)],
    ...loop,
    ...times(AHEAD, readA),
    ...times(GROUP, keystreamByte),
    ...[...local(at), ...local(at), ...loadVector, ...local(keystream), ...vectorXor, ...storeVector],
    ...[...local(places), ...i32(GROUP), i32Add, ...masked, ...setLocal(places)],
    ...[...local(at), ...i32(GROUP), i32Add, ...teeLocal(at), ...local(until), i32LessThan, ...repeatIf],
    end,
    ...[...i32(I), ...local(places), ...i32(1), i32Subtract, ...storeByte()],
    ...[...i32(J), ...local(j), ...storeByte()],
    end,
  ];
}

/** What `make` makes of 0, 1 and so on, one after the other. */
function times(count: number, make: (index: number) => number[]): number[] {
  return Array.from({ length: count }, (_, index) => make(index)).flat();
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const body = cryptBody();
  const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
  const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, [1, 0x60, 2, I32, I32, 0]), // the type of `crypt`
    ...section(3, [1, 0]), // one function of that type
    ...section(5, [1, 1, PAGES, PAGES]), // one memory that does not grow
    ...section(7, [2, ...name("memory"), 2, 0, ...name("crypt"), 0, 0]), // what is exported
    ...section(10, [1, ...unsigned(body.length), ...body]), // the function
  ]);
}

/** LEB128, as the format writes sizes. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...unsigned(value >>> 7)];
}

/** LEB128 of a positive constant: one bit more, for the sign. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [value & 0x7f | 0x80, ...signed(value >>> 7)];
}
