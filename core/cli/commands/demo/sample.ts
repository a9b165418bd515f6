/** Files to share in the demo. @module */
import type { Disk, Random } from "../../../api/mod.ts";
import { bytesEqual } from "../../../wire/mod.ts";
import type { ListedFile } from "../../files.ts";

const MiB = 1024 * 1024;

/** The sample's files and their sizes in bytes: 64 MiB in all, of uneven lengths so that pieces span files. */
const FILES: readonly (readonly [path: string, length: number])[] = [
  ["film.mkv", 40 * MiB + 12_345],
  ["extras/making-of.mkv", 20 * MiB - 54_321],
  ["extras/posters/cover.png", 4 * MiB],
  ["readme.txt", 41_976],
];

/** Writes the sample below `folder`: random bytes, so that nothing can be guessed or compressed. */
export async function writeSample(disk: Disk, random: Random, folder: string): Promise<void> {
  for (const [path, length] of FILES) {
    const whole = `${folder}/${path}`;
    await disk.makeDirectory(whole.slice(0, whole.lastIndexOf("/")));
    const file = await disk.open(whole, { write: true, create: true });
    try {
      for (let position = 0; position < length; position += MiB) {
        await file.write(random.bytes(Math.min(MiB, length - position)), position);
      }
    } finally {
      await file.close();
    }
  }
}

/** Whether `folder` holds the same bytes as the listed files, compared by SHA-256 of each. */
export async function sameFiles(disk: Disk, files: readonly ListedFile[], folder: string): Promise<boolean> {
  for (const { path, file, length } of files) {
    const copy = `${folder}/${path.join("/")}`;
    if ((await disk.stat(copy))?.size !== length) return false;
    const [left, right] = await Promise.all(
      [file, copy].map((each) => disk.digest("sha256", [{ path: each, position: 0, length }])),
    );
    if (!left || !right || !bytesEqual(left, right)) return false;
  }
  return true;
}
