/** Asks plugins for the metadata of a magnet, until one brings what its hash names. @module */
import { resolveMetadata } from "../api/mod.ts";
import { bytesEqual, type Info, parseInfo, sha1, sha256, type TorrentId } from "../wire/mod.ts";
import type { Kernel } from "./kernel.ts";

export class MetadataQuest {
  readonly #kernel: Kernel;
  readonly #id: TorrentId;
  /** Ends the present question, not the wish for an answer. */
  #asking = new AbortController();

  constructor(kernel: Kernel, id: TorrentId) {
    this.#kernel = kernel;
    this.#id = id;
  }

  /** Who was asked may be gone, and others may have come: asks anew. */
  renew(): void {
    this.#asking.abort(new Error("the plugins changed"));
  }

  /** @throws when no plugin provides metadata, finds it, or brings what the hash names */
  async find(signal: AbortSignal): Promise<Info> {
    const raw = await this.#ask(signal);
    if (!raw) throw new Error("Cannot fetch the metadata: no plugin found it");
    const { v1, v2 } = this.#id;
    const right = raw instanceof Uint8Array && (!v1 || bytesEqual(sha1(raw), v1.bytes)) &&
      (!v2 || bytesEqual(sha256(raw), v2));
    if (!right) throw new Error("Cannot use the metadata that a plugin brought: its hash is not the magnet's");
    return parseInfo(raw);
  }

  async #ask(signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { bus } = this.#kernel;
    for (;;) {
      if (!bus.observers(resolveMetadata)) {
        throw new Error("Cannot fetch the metadata of a magnet: no plugin provides it; add the .torrent file instead");
      }
      const { signal: renewed } = this.#asking = new AbortController();
      try {
        return await bus.first(resolveMetadata, { id: this.#id }, AbortSignal.any([signal, renewed]));
      } catch (error) {
        signal.throwIfAborted();
        if (!renewed.aborted) throw error;
      }
    }
  }
}
