import { stripVTControlCharacters } from "node:util";
import { ModuleError } from "../../../api/mod.ts";
import { pathOf } from "./code.ts";

// Where a line of a module is named: in V8's stacks, and in what Deno adds to its messages.
const PLACE = /(file:\/\/[^"'\n]+?)(?:\?weft=[\da-f-]+)?:(\d+):(\d+)/;

/** What went wrong in an import, as `path:line:column: what`, without the versions that are Weft's own affair. */
export function moduleError(error: unknown, url: string): ModuleError {
  const thrown = error instanceof Error ? error : new Error(String(error));
  // Deno colours places where it has a terminal; a sandbox's modules have a scheme of their own (core/guest/modules.ts).
  const [message, frame] = [thrown.message, firstFrame(thrown.stack ?? "")].map((text) =>
    stripVTControlCharacters(text).replaceAll("guest:///", "file:///")
  );
  const [, file, line, column] = PLACE.exec(message) ?? PLACE.exec(frame) ?? [];
  const what = message.split("\n")[0]
    .replace(/^(?:(?:[A-Z]\w*)?Error: |The module's source code could not be parsed: )+/, "")
    .replace(/ at file:\S+$/, "")
    .replaceAll(/(file:\/\/[^\s"']+?)(?:\?weft=[\da-f-]+)?(?=["'\s]|[.,]?$)/g, (_, each) => pathOf(each));
  const place = file ? `${pathOf(file)}:${line}:${column}` : pathOf(url);
  return new ModuleError(`${place}: ${remedy(what)}`, { cause: error });
}

/** Where the module's own code was: it may have called what threw. */
function firstFrame(stack: string): string {
  return stack.split("\n").find((line) => /^\s+at .*(?:\?weft=|guest:\/\/\/)/.test(line)) ?? "";
}

/** Deno's own words, with what they mean for a plugin's author. */
function remedy(what: string): string {
  const [, bare] = /^(?:Import|Relative import path) "([^"]+)" not (?:a dependency|prefixed)/.exec(what) ?? [];
  if (bare) return cannotFind(bare);
  const [, missing] = /^Module not found:? "?([^"]+?)"?\.?$/.exec(what) ?? [];
  // Deno may take a package's name for that of a file, which has no extension then.
  const [, name] = /[\\/]([^\\/.]+)$/.exec(missing ?? "") ?? [];
  if (name) return cannotFind(name);
  if (missing) return `cannot find "${missing}"; correct the import`;
  const [, host] = /^Requires import access to "([^"]+)"/.exec(what) ?? [];
  if (host) return `Weft may not import code from "${host}"; start it with --allow-import=${host}, or save the file`;
  const [, embedded] = /^Could not find constraint '([^']+)'/.exec(what) ?? [];
  if (embedded) {
    return `this binary doesn't contain "npm:${embedded}"; compile it in with \`deno task compile --profile\``;
  }
  return what;
}

function cannotFind(name: string): string {
  return `cannot find "${name}"; write "weft", "./${name}.ts" for a file, or "npm:${name}" for a package`;
}
