/** Text for people: names that can't harm a terminal, tables, amounts of time. @module */

// Control characters, and marks that turn the direction of what follows: a name with them moves the cursor, or lies.
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu;

/** A name from outside, for a terminal: control and bidi characters become U+FFFD. */
export function printable(text: string): string {
  return text.replace(UNSAFE, "\ufffd");
}

/**
 * A value as JSON that is safe on a terminal and in a log: what {@link printable} replaces is escaped, so that it reads
 * back the same. On one line, unless `indent` says otherwise.
 */
export function jsonText(value: unknown, indent?: number): string {
  // Within JSON, line breaks and spaces are the only ones outside of strings.
  return JSON.stringify(value, null, indent).replace(
    UNSAFE,
    (char) => char === "\n" ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Scripts and symbols whose characters take two columns of a terminal. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** How many columns of a terminal `text` takes, near enough: combining marks take none. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : /\p{M}/u.test(character) ? 0 : 1;
  return width;
}

/** Cuts to `width` columns; what was cut ends in an ellipsis. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  for (const character of text) {
    if (widthOf(kept + character) >= width) break;
    kept += character;
  }
  return width > 0 ? `${kept}…` : "";
}

/** Rows with their columns aligned, two spaces apart. A column whose heading starts with a space is right-aligned. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, widthOf(row[column].trim())), 0)
  );
  const right = rows[0].map((heading) => heading.startsWith(" "));
  return rows.map((row) =>
    row.map((cell, column) => {
      const padding = " ".repeat(widths[column] - widthOf(cell.trim()));
      return right[column] ? padding + cell.trim() : cell.trim() + padding;
    }).join("  ").trimEnd() + "\n"
  ).join("");
}

/** `1 file`, `2 files`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
