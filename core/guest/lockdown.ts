import * as modules from "node:module";
import process from "node:process";
import { keepAllowedGlobals } from "./globals.ts";

/** Closes what a worker's permissions leave open, before any plugin's code runs. */
export function lockDown(): void {
  const refuse = (): never => {
    throw new Error("A plugin in a sandbox may not do this");
  };
  // The terminal, and a child process's way to Weft.
  for (const stream of [Deno.stdin, Deno.stdout, Deno.stderr]) stream.close();
  // Whoever has none of these permissions may still kill its own process, which in a worker is Weft, or change how it
  // makes files. Some of Node's modules hold on to these objects, so that they lose it besides the globals.
  for (const name of ["kill", "umask"]) replace(Deno, name, refuse);
  for (const name of ["kill", "umask", "_kill", "abort", "reallyExit", "binding", "getBuiltinModule", "dlopen"]) {
    replace(process, name, refuse);
  }
  const { internal, Process } = Deno as unknown as { internal: symbol; Process?: { prototype: object } };
  if (Process) replace(Process.prototype, "kill", refuse);
  // What Node's modules that compute look for in it.
  const { nextTick } = process;
  replace(globalThis, "process", Object.freeze({ nextTick, emitWarning: () => {}, noDeprecation: true, env: {} }));
  // Deno's own insides: they print, and some of them panic.
  replace(Deno, internal, undefined);
  keepAllowedGlobals();
  // A name that every object then has, such as "source", can make Deno's own code panic, which ends the process.
  Object.preventExtensions(Object.prototype);
  // So can what its own code reads of the events by which messages and errors reach a worker.
  for (const { prototype } of [EventTarget, Event, MessageEvent, ErrorEvent, PromiseRejectionEvent]) {
    Object.freeze(prototype);
  }
  // Where a plugin gets hold of it, a hook that it registers would be asked before ours.
  replace(modules.default.prototype, "constructor", undefined);
}

function replace(object: object, name: string | symbol, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: false, configurable: false });
}
