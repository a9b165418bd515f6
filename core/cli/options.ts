/** What commands share: the tree they hang on, and the kinds of options. @module */
import { type Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { type BindAddress, parseBindAddress, parseRate, parseSize } from "../api/mod.ts";
import { parseHostPort } from "../wire/mod.ts";

/** The command that subcommands are added to. */
export type Program = Command<[], { debug?: true }>;

/** An option that may be given again: collects its values. */
export function repeated(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** An option that names a peer as `host:port`, and may be given again. */
export function peerOption(value: string, earlier: readonly string[] = []): string[] {
  asArgument(() => parseHostPort(value));
  return repeated(value, earlier);
}

/** An option that says where to accept peers, as a profile's `listen`: `[::]:6881`, or a port alone. */
export function listenOption(text: string): BindAddress {
  return asArgument(() => parseBindAddress(text));
}

/** A rate option in bytes per second: `500 KiB/s`; undefined is unlimited. */
export function rateOption(text: string): number | undefined {
  return asArgument(() => parseRate(text));
}

/** A size option in bytes: `256 KiB`. */
export function sizeOption(text: string): number {
  return asArgument(() => parseSize(text));
}

function asArgument<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
