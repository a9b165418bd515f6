// Where the bytes of a torrent live: offsets in its byte stream <-> places in its files.
import type { FileEntry } from "../wire/mod.ts";
import type { Layout } from "./types.ts";

/** Stands for a file where there is none: padding, zeros that are never on disk (BEP 47). */
export const PADDING = -1;

/** Consecutive bytes of one file, or of {@link PADDING}. */
export interface Span {
  /** Index of the file, or {@link PADDING}. */
  readonly file: number;
  /** Byte in the file where it begins. */
  readonly position: number;
  /** Byte in the torrent where it begins. */
  readonly offset: number;
  readonly length: number;
}

/** The spans of `length` bytes from `offset` of the torrent, in order. What no file covers is padding, like pad files. */
export function spansOf(files: readonly FileEntry[], offset: number, length: number): Span[] {
  const spans: Span[] = [];
  const end = offset + length;
  let at = offset;
  for (let index = lastFileAtOrBefore(files, offset); at < end; index++) {
    const file = files[index];
    if (!file || file.offset >= end) {
      pushSpan(spans, PADDING, 0, at, end - at);
      break;
    }
    if (file.offset > at) {
      pushSpan(spans, PADDING, 0, at, file.offset - at);
      at = file.offset;
    }
    const stop = Math.min(file.offset + file.length, end);
    if (stop <= at) continue;
    pushSpan(spans, file.pad ? PADDING : index, at - file.offset, at, stop - at);
    at = stop;
  }
  return spans;
}

/** The first piece that holds bytes of file `index`, and the first after it that doesn't. Equal for an empty file. */
export function piecesOf(layout: Layout, index: number): [first: number, end: number] {
  const { offset, length } = layout.files[index];
  if (length === 0) return [0, 0];
  return [Math.floor(offset / layout.pieceLength), Math.ceil((offset + length) / layout.pieceLength)];
}

/** The last file that begins at or before `offset` (0 when none does). Files are in order of their offsets. */
function lastFileAtOrBefore(files: readonly FileEntry[], offset: number): number {
  let low = 0;
  let high = files.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (files[middle].offset <= offset) low = middle;
    else high = middle;
  }
  return low;
}

function pushSpan(spans: Span[], file: number, position: number, offset: number, length: number): void {
  const last = spans.at(-1);
  if (file === PADDING && last?.file === PADDING) spans[spans.length - 1] = { ...last, length: last.length + length };
  else spans.push({ file, position, offset, length });
}
