// Open files of all swarms, the one used longest ago closed first.
import { DiskError, type DiskFile } from "../api/mod.ts";
import { Lru, type LruNode } from "./lru.ts";

/** A file that may be open or not. Only {@link OpenFiles} changes it. */
export class FileHandle implements LruNode {
  declare older?: this;
  declare newer?: this;
  listed = false;
  file?: DiskFile;
  opening?: Promise<DiskFile>;
  users = 0;
  /** It led to something else than it should: its file closes once nobody uses it. */
  retired = false;
  /** Whether it was used since the last {@link OpenFiles.closeIdle}. */
  used = false;
}

/** Keeps at most `limit` files open, besides those in use right now. */
export class OpenFiles {
  #limit: number;
  readonly #idle = new Lru<FileHandle>();
  #count = 0;
  /** Who waits for a descriptor, and until when. */
  #waiting = 0;
  #ended?: PromiseWithResolvers<void>;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Another limit: what is over it closes as files are opened. */
  set limit(files: number) {
    this.#limit = files;
  }

  /** How many files are open. */
  get count(): number {
    return this.#count;
  }

  /** Runs `action` with the open file; `open` is called if it isn't open. */
  async use<Result>(
    handle: FileHandle,
    open: () => Promise<DiskFile>,
    action: (file: DiskFile) => Promise<Result>,
  ): Promise<Result> {
    handle.users++;
    handle.used = true;
    this.#idle.remove(handle);
    try {
      const file = handle.file ?? await (handle.opening ??= this.#open(handle, open));
      return await action(file);
    } finally {
      handle.users--;
      if (handle.users === 0 && handle.retired) await this.close(handle);
      else if (handle.users === 0 && handle.file) this.#idle.touch(handle);
      this.#wake();
    }
  }

  /** Closes the file if nobody uses it. */
  async close(handle: FileHandle): Promise<void> {
    const { file } = handle;
    if (!file || handle.users > 0) return;
    this.#idle.remove(handle);
    handle.file = undefined;
    this.#count--;
    await file.close();
  }

  /** Closes the file as soon as nobody uses it; who wants it again takes another handle. */
  async retire(handle: FileHandle): Promise<void> {
    handle.retired = true;
    await this.close(handle);
  }

  /** Closes those of `handles` that weren't used since the last call. True while some stay open. */
  async closeIdle(handles: Iterable<FileHandle>): Promise<boolean> {
    let open = false;
    for (const handle of handles) {
      if (!handle.used && handle.file) await this.close(handle);
      handle.used = false;
      open ||= handle.file !== undefined;
    }
    return open;
  }

  async #open(handle: FileHandle, open: () => Promise<DiskFile>): Promise<DiskFile> {
    this.#count++;
    try {
      await this.#closeOldest(this.#limit);
      while (!handle.file) {
        handle.file = await open().catch(async (error) => {
          const full = error instanceof DiskError && error.fault === "tooManyFiles";
          if (!full || !await this.#makeRoom()) throw error;
          return undefined;
        });
      }
      return handle.file;
    } catch (error) {
      this.#count--;
      this.#wake();
      throw error;
    } finally {
      handle.opening = undefined;
    }
  }

  /** Somebody else used up the descriptors: gives back ours that are idle, or waits for one. False if there is none. */
  async #makeRoom(): Promise<boolean> {
    if (this.#idle.oldest) await this.#closeOldest(0);
    else if (this.#count - this.#waiting > 1) {
      this.#waiting++;
      await (this.#ended ??= Promise.withResolvers()).promise;
      this.#waiting--;
    } else return false;
    return true;
  }

  #wake(): void {
    this.#ended?.resolve();
    this.#ended = undefined;
  }

  async #closeOldest(limit: number): Promise<void> {
    while (this.#count > limit && this.#idle.oldest) await this.close(this.#idle.oldest);
  }
}
