/** `--select`: which files of a torrent are wanted. @module */
import { type FileEntry } from "../wire/mod.ts";
import { usageError } from "./environment.ts";

/** A torrent's files as {@link selectFiles} sees them. */
export type SelectableFile = Pick<FileEntry, "path" | "pad">;

/**
 * The file indexes (from 0) that `text` names: numbers and ranges as `weft show` counts them (from 1), or names with
 * `*` and `?`, separated by commas: `1,3-5,*.iso`. A name without a slash matches the last part of a path.
 *
 * Without `files`, for a magnet whose metadata isn't known yet, only numbers will do.
 *
 * @throws {ConfigError} when a part names no file
 */
export function selectFiles(text: string, files?: readonly SelectableFile[]): number[] {
  const indexes = new Set<number>();
  for (const part of text.split(",").map((each) => each.trim())) {
    const found = /^\d/.test(part) && /^[\d-]+$/.test(part) ? numbered(part, files?.length) : named(part, files);
    for (const index of found) indexes.add(index);
  }
  return [...indexes].sort((a, b) => a - b);
}

/** More than any torrent's file numbers; keeps a range from filling memory. */
const MAX_FILE_NUMBER = 2 ** 20;

function numbered(part: string, fileCount = MAX_FILE_NUMBER): number[] {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (!(from >= 1 && to >= from && to <= fileCount)) {
    throw usageError(
      `--select: "${part}" must be a file number or range within 1-${fileCount}; "weft show" lists them`,
    );
  }
  return Array.from({ length: to - from + 1 }, (_, i) => from - 1 + i);
}

function named(part: string, files?: readonly SelectableFile[]): number[] {
  if (!files) {
    throw usageError(`--select: "${part}" is a name, but a magnet's files are known only later; use numbers`);
  }
  const pattern = new RegExp(
    `^${
      part.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", part.includes("/") ? "[^/]*" : ".*").replaceAll(
        "?",
        ".",
      )
    }$`,
    "i",
  );
  const found = files.flatMap(({ path, pad }, index) => {
    const name = part.includes("/") ? path.join("/") : path.at(-1)!;
    return !pad && pattern.test(name) ? [index] : [];
  });
  if (found.length === 0) throw usageError(`--select: no file is called "${part}"; "weft show" lists them`);
  return found;
}
