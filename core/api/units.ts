/** Amounts as people write them: durations, sizes and rates. @module */
import { quote } from "../wire/mod.ts";

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PREFIXES = "KMGT";

/**
 * Milliseconds of `500ms`, `30s`, `5m`, `1h30m` or `2d`; `0` needs no unit.
 *
 * @throws {RangeError} when it is none of these
 */
export function parseDuration(text: string | number): number {
  const source = String(text).trim();
  if (source === "0") return 0;
  let milliseconds = 0;
  let rest = source;
  // The longest unit first, each at most once, so that "5m 5m" and "30s 1h" are noticed as slips.
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const match = new RegExp(`^(\\d{1,12}(?:\\.\\d{1,6})?) ?${unit}(?![a-z]) ?`).exec(rest);
    if (!match) continue;
    milliseconds += Number(match[1]) * MILLISECONDS[unit];
    rest = rest.slice(match[0].length);
  }
  if (rest !== "" || source === "" || !Number.isSafeInteger(Math.round(milliseconds))) {
    throw new RangeError(
      `Cannot read duration: expected one such as 30s, 5m or 1h30m, current value is ${quote(source)}`,
    );
  }
  return Math.round(milliseconds);
}

/** Text that {@link parseDuration} reads back the same: `1h30m`, `500ms`. `parts` keeps only the largest units. */
export function formatDuration(milliseconds: number, { parts = Infinity }: { readonly parts?: number } = {}): string {
  let rest = Math.round(milliseconds);
  let text = "";
  let shown = 0;
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const count = Math.floor(rest / MILLISECONDS[unit]);
    // Counting from the first unit shown: "1d" in two parts is a day and hours, never a day and seconds.
    if (shown > 0 || count > 0) shown++;
    if (count > 0 && shown <= parts) text += `${count}${unit}`;
    rest -= count * MILLISECONDS[unit];
  }
  return text === "" ? "0s" : text;
}

/**
 * Bytes of `64 KiB`, `10 MB` or a plain number. KiB, MiB, GiB and TiB are powers of 1024; KB, MB, GB and TB of 1000.
 *
 * @throws {RangeError} when it is neither, or too large to count exactly
 */
export function parseSize(text: string | number): number {
  const bytes = readBytes(String(text));
  if (bytes === undefined) {
    throw new RangeError(
      `Cannot read size: expected one such as 64 KiB or 10 MB, current value is ${quote(String(text))}`,
    );
  }
  return bytes;
}

/**
 * Bytes per second of `10 MB/s` or `500 KiB/s`; undefined, which stands for no limit, of `unlimited`. A number needs
 * its unit: clients differ in what a plain one would mean.
 *
 * @throws {RangeError} when it is neither
 */
export function parseRate(text: string | number): number | undefined {
  const source = String(text).trim();
  if (source === "unlimited") return undefined;
  const bytes = source === "0" || /b(?:\/s)?$/i.test(source) ? readBytes(source.replace(/\/s$/, "")) : undefined;
  if (bytes === undefined) {
    throw new RangeError(
      `Cannot read rate: expected one such as 10 MB/s, 500 KiB/s or unlimited, current value is ${quote(source)}`,
    );
  }
  return bytes;
}

/** A size for people: `512 B`, `64 KiB`, `1.4 GiB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const prefix of PREFIXES) {
    if (value < 1023.95) break;
    value /= 1024;
    unit = `${prefix}iB`;
  }
  return `${unit === "B" ? Math.round(value) : Number(value.toFixed(value < 10 ? 2 : 1))} ${unit}`;
}

/** A rate for people: `1.4 MiB/s`, or `unlimited`. */
export function formatRate(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? "unlimited" : `${formatSize(bytesPerSecond)}/s`;
}

function readBytes(text: string): number | undefined {
  const match = /^(\d{1,16}(?:\.\d{1,6})?) ?(?:([KMGT])(i)?)?(B)?$/i.exec(text.trim());
  if (!match) return undefined;
  const [, amount, prefix, binary, letter] = match;
  if (prefix && !letter) return undefined; // "10M" may mean either
  if (prefix && prefix === prefix.toUpperCase() && letter === "b") return undefined; // "Mb" means bits
  const power = prefix ? PREFIXES.indexOf(prefix.toUpperCase()) + 1 : 0;
  const bytes = Math.round(Number(amount) * (binary ? 1024 : 1000) ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
