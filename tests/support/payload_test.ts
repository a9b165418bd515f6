import assert from "node:assert/strict";
import { payloadFaults, writePayload, xorshift } from "./payload.ts";

const files = [{ path: "a/long.bin", size: (1 << 20) + 5 }, { path: "b.bin", size: 9 }, { path: "empty", size: 0 }];

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await writePayload(folder, files);
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("xorshift() gives the same bytes for the same seed, and others for another", () => {
  const bytes = (seed: number): Uint8Array => {
    const into = new Uint8Array(64);
    xorshift(seed)(into);
    return into;
  };
  assert.deepEqual(bytes(7), bytes(7));
  assert.notDeepEqual(bytes(7), bytes(8));
});

Deno.test("payloadFaults() finds nothing wrong with what writePayload() wrote", () =>
  inFolder(async (folder) => assert.deepEqual(await payloadFaults(folder, files), [])));

Deno.test("payloadFaults() names a missing file, a wrong size, and the first byte that differs", () =>
  inFolder(async (folder) => {
    const bytes = await Deno.readFile(`${folder}/a/long.bin`);
    bytes[(1 << 20) + 3] ^= 1;
    await Deno.writeFile(`${folder}/a/long.bin`, bytes);
    await Deno.truncate(`${folder}/b.bin`, 4);
    await Deno.remove(`${folder}/empty`);
    assert.deepEqual(await payloadFaults(folder, files), [
      `"a/long.bin" differs from byte ${(1 << 20) + 3} on`,
      `"b.bin" has 4 bytes, expected 9`,
      `"empty" is missing`,
    ]);
  }));
