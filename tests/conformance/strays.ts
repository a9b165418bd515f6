/** Notices what a plugin does behind the back of its scope: rejections nobody handles, the platform's own means. @module */
import { errorText } from "../../core/api/mod.ts";

/** Collects rejections that nobody handles, and keeps them from ending the process. */
export class Strays implements Disposable {
  #found: string[] = [];
  readonly #notice = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    this.#found.push(errorText(event.reason));
  };

  constructor() {
    addEventListener("unhandledrejection", this.#notice);
  }

  /** What was found since this was last asked. */
  take(): readonly string[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  [Symbol.dispose](): void {
    removeEventListener("unhandledrejection", this.#notice);
  }
}

/** What a plugin must not use, and what is there for it instead. */
const BANNED: readonly (readonly [holder: object, name: string, instead: string])[] = [
  [globalThis, "setTimeout", "plugin.clock.after"],
  [globalThis, "setInterval", "plugin.clock.after"],
  [globalThis, "fetch", "plugin.net.fetch"],
  [globalThis, "WebSocket", "plugin.net.connect"],
  [Deno, "connect", "plugin.net.connect"],
  [Deno, "connectTls", "plugin.net.connect"],
  [Deno, "listen", "plugin.net.listen"],
  [Deno, "listenDatagram", "plugin.net.datagrams"],
  [Deno, "serve", "plugin.net.serve"],
  [Deno, "resolveDns", "plugin.net.resolve"],
];

/** Refuses the platform's timers and sockets until disposed of, and remembers who was wanted. */
export class Platform implements Disposable {
  /** What was used, and what is there for it instead. */
  readonly used = new Map<string, string>();
  readonly #undo: (() => void)[] = [];

  constructor() {
    for (const [holder, name, instead] of BANNED) {
      const own = Object.getOwnPropertyDescriptor(holder, name);
      if (!own?.configurable) continue;
      const what = holder === Deno ? `Deno.${name}` : name;
      const { used } = this;
      const refuse = function (): never {
        used.set(what, instead);
        throw new Error(`A plugin may not use ${what}; use ${instead}`);
      };
      Object.defineProperty(holder, name, { configurable: true, writable: true, value: refuse });
      this.#undo.push(() => Object.defineProperty(holder, name, own));
    }
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo) undo();
  }
}
