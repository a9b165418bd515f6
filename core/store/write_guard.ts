// What may be written to. A download never changes what somebody else put on the disk.
//
// A file is a torrent's own when it is as this torrent left it, or when a piece of the torrent was found in it: what
// another client fetched is gone on with, whatever else that file holds. One that isn't there, or is empty, becomes its
// own with the first write. Anything else is a stranger, such as another film of the same name: before anything is
// fetched, strangers are told as obstacles, and only the user's word (`force`) makes them the torrent's own. Three kinds
// of strangers are none: what holds nothing but zeros was set aside for a download; what isn't wanted need not be
// written to (its bytes of shared pieces go to the part file); and a file of just the right length that holds no piece
// alone can't be judged before its neighbours are there, so what is written to it must be in it already.
//
// A file that another torrent of this Weft has as well belongs to whichever was added first. The other may use what is
// right in it, which is all of it where both name the same content, and never changes it.
import { type Disk, DiskError } from "../api/mod.ts";
import type { SaveFolder } from "./paths.ts";
import type { FileStamp } from "./records.ts";
import { isAsLeft } from "./resume.ts";

/** What stands at a file's path. */
export type Finding = "absent" | "empty" | "own" | "stranger";

const UNRELATED =
  "it stands there already and isn't this torrent's; move it away, choose another folder, or overwrite it (--force)";
const SHARED =
  "another torrent here has it too, and it is incomplete or differs; complete that one and check this one again, or " +
  "choose another folder";

/** Files that may not be written to stand where a torrent's would go. Nothing was changed. */
export class ObstacleError extends Error {
  override readonly name = "ObstacleError";

  /** @param paths at least one, whole; `shared` says that they are another torrent's, not strangers */
  constructor(readonly paths: readonly string[], readonly shared: boolean) {
    const more = paths.length > 1 ? ` and ${paths.length - 1} more` : "";
    super(`Cannot write "${paths[0]}"${more}: ${shared ? SHARED : UNRELATED}`);
  }
}

interface GuardedFile {
  found?: Finding;
  shared: boolean;
  left?: FileStamp;
  /** How the stranger is. */
  stamp?: FileStamp;
  /** Resolves once the first write has found out. */
  deciding?: Promise<boolean>;
  decided?: boolean;
}

/** Decides for the files of one torrent. */
export class WriteGuard {
  readonly #disk: Disk;
  readonly #folder: SaveFolder;
  readonly #paths: readonly (string | undefined)[];
  readonly #files = new Map<number, GuardedFile>();
  #strangers = 0;

  constructor(disk: Disk, folder: SaveFolder, paths: readonly (string | undefined)[]) {
    this.#disk = disk;
    this.#folder = folder;
    this.#paths = paths;
  }

  /** Whether files were found that aren't the torrent's own. */
  get hasStrangers(): boolean {
    return this.#strangers > 0;
  }

  /** How an earlier run left the file. */
  left(index: number, stamp: FileStamp): void {
    this.#file(index).left = stamp;
  }

  /** What stands there. The answer is kept: what comes later is met by the first write. */
  async look(index: number): Promise<Finding> {
    const file = this.#file(index);
    if (file.found) return file.found;
    const path = this.#paths[index]!;
    const stat = await this.#folder.inspect(path) ? await this.#disk.lstat(this.#folder.resolve(path)) : undefined;
    if (file.found) return file.found;
    file.found = !stat
      ? "absent"
      : file.left && isAsLeft(stat, file.left)
      ? "own"
      : stat.size === 0
      ? "empty"
      : "stranger";
    if (file.found === "stranger") {
      this.#strangers++;
      file.stamp = { file: index, home: "file", size: stat!.size, modified: stat!.modified, writing: false };
    }
    return file.found;
  }

  /** The file turned out to be the torrent's own. Returns the stamp of one that was a stranger: the records lack it. */
  adopt(index: number): FileStamp | undefined {
    const file = this.#file(index);
    const { stamp } = file;
    if (stamp) this.#strangers--;
    file.stamp = undefined;
    file.found = "own";
    file.deciding = file.decided = undefined;
    return stamp;
  }

  /** Another file took its place: it is judged anew. */
  forget(index: number): void {
    const { shared, stamp } = this.#file(index);
    if (stamp) this.#strangers--;
    this.#files.set(index, { shared });
  }

  /** The file is also another torrent's, which came first. */
  share(index: number): void {
    this.#file(index).shared = true;
  }

  /** Whether the file may be written to, once {@link decide} has found out. */
  decided(index: number): boolean | undefined {
    return this.#files.get(index)?.decided;
  }

  /** Finds out, and makes the file where there is none: should another program be faster, the file is its. */
  decide(index: number): Promise<boolean> {
    const file = this.#file(index);
    return file.deciding ??= this.#mayWrite(index, file).then(
      (may) => file.decided = may,
      (error) => {
        file.deciding = undefined;
        throw error;
      },
    );
  }

  /** Why what was to be written to a file may not be. */
  refusal(index: number): ObstacleError {
    return new ObstacleError([this.#folder.resolve(this.#paths[index]!)], this.#file(index).shared);
  }

  async #mayWrite(index: number, file: GuardedFile): Promise<boolean> {
    if (file.shared) return false;
    const path = this.#paths[index]!;
    try {
      await (await this.#folder.open(path, "new")).close();
      file.found = "own";
    } catch (error) {
      if (!(error instanceof DiskError && error.fault === "exists")) throw error;
    }
    const found = await this.look(index);
    if (found === "empty" && (await this.#disk.lstat(this.#folder.resolve(path)))?.size === 0) file.found = "own";
    return file.found === "own";
  }

  #file(index: number): GuardedFile {
    let file = this.#files.get(index);
    if (!file) this.#files.set(index, file = { shared: false });
    return file;
  }
}

/** Whether a file holds nothing but zeros, `turn` after each buffer. */
export async function isBlank(disk: Disk, path: string, turn: () => Promise<void>): Promise<boolean> {
  const file = await disk.open(path, { write: false });
  const buffer = new Uint8Array(BLANK_BUFFER);
  try {
    for (let at = 0;; at += buffer.length) {
      const length = await file.read(buffer, at);
      if (buffer.subarray(0, length).some((byte) => byte !== 0)) return false;
      if (length < buffer.length) return true;
      await turn();
    }
  } finally {
    await file.close();
  }
}

// Little, since nearly every file that isn't blank says so in its first bytes; a turn of the main thread reads it.
const BLANK_BUFFER = 64 * 1024;
