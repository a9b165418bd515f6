import type { PluginState } from "../api/mod.ts";
import type { GuestMessage, HostMessage } from "./protocol.ts";

/** What an isolated plugin keeps across restarts: asked of Weft, which has it. */
export class GuestState implements PluginState {
  readonly #post: (message: GuestMessage) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<Uint8Array | undefined>>();
  #nextRequest = 1;

  constructor(post: (message: GuestMessage) => void) {
    this.#post = post;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#ask((request) => ({ say: "get", request, key }));
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    await this.#ask((request) => ({ say: "set", request, key, value }));
  }

  /** Takes Weft's answer. */
  answer({ request, value, error }: Extract<HostMessage, { do: "stored" }>): void {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }

  #ask(message: (request: number) => GuestMessage): Promise<Uint8Array | undefined> {
    const request = this.#nextRequest++;
    const waiting = Promise.withResolvers<Uint8Array | undefined>();
    this.#waiting.set(request, waiting);
    this.#post(message(request));
    return waiting.promise;
  }
}
