/** Text for people: names that can't harm a terminal, tables, amounts of time. @module */

/** A name from outside, for a terminal: control and bidi characters become U+FFFD, so that it can't move the cursor or lie. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

/** Cuts to `width` characters; what was cut ends in an ellipsis. */
export function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : characters.slice(0, Math.max(0, width - 1)).join("") + "…";
}

/** Rows with their columns aligned, two spaces apart. A column whose heading starts with a space is right-aligned. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => [...row[column].trim()].length)));
  const right = rows[0].map((heading) => heading.startsWith(" "));
  return rows.map((row) =>
    row.map((cell, column) => {
      const padding = " ".repeat(widths[column] - [...cell.trim()].length);
      return right[column] ? padding + cell.trim() : cell.trim() + padding;
    }).join("  ").trimEnd() + "\n"
  ).join("");
}

/** `1 file`, `2 files`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
