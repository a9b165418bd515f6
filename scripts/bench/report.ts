/** One measured transfer. */
export interface Sample {
  readonly client: string;
  /** Payload over the time from the first to the last byte, as libtorrent's end saw it, in MB/s. */
  readonly wireRate: number;
  /** User and system seconds of the measured process, per GiB moved. */
  readonly cpuPerGiB: number;
  /** Peak resident set of the measured process, in MiB. */
  readonly rss: number;
  /** From the start of the measured process to its end, in seconds. */
  readonly wall: number;
  /** Longest time that the main thread was busy at a stretch, in milliseconds; only Weft tells. */
  readonly worstStall?: number;
}

/** The client that the others are compared with. */
const reference = "libtorrent";

/** Lays samples out as a table: a line per client, medians of its runs, and its figures over those of libtorrent. */
export function table(samples: readonly Sample[]): string {
  const names = [...new Set(samples.map(({ client }) => client))];
  const of = (client: string, figure: (sample: Sample) => number | undefined): number =>
    median(samples.filter((sample) => sample.client === client).map(figure).filter((value) => value !== undefined));
  const rows = names.map((name) => {
    const wire = of(name, ({ wireRate }) => wireRate);
    const cpu = of(name, ({ cpuPerGiB }) => cpuPerGiB);
    const stall = of(name, ({ worstStall }) => worstStall);
    return [
      name,
      wire.toFixed(1),
      cpu.toFixed(2),
      of(name, ({ rss }) => rss).toFixed(0),
      of(name, ({ wall }) => wall).toFixed(2),
      ratio(wire, of(reference, ({ wireRate }) => wireRate)),
      ratio(cpu, of(reference, ({ cpuPerGiB }) => cpuPerGiB)),
      Number.isNaN(stall) ? "" : `${stall.toFixed(1)} ms`,
    ];
  });
  const head = ["client", "wire MB/s", "CPU s/GiB", "RSS MiB", "wall s", "wire ratio", "CPU ratio", "worst stall"];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  return [head, ...rows].map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join("  ")
      .trimEnd()
  ).join("\n");
}

/** The middle value (the upper of two); `NaN` of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** Reads a size such as `64 KiB` or `1GiB` as a number of bytes. Throws on anything else. */
export function bytes(text: string): number {
  const [, count, unit] = text.match(/^(\d+) ?(KiB|MiB|GiB)$/) ?? [];
  if (!count) throw new Error(`Cannot read the size "${text}": write it as in "64 KiB", "16 MiB" or "1 GiB"`);
  return Number(count) * 1024 ** (["KiB", "MiB", "GiB"].indexOf(unit) + 1);
}

function ratio(value: number, base: number): string {
  return Number.isNaN(base) ? "" : `x ${(value / base).toFixed(2)}`;
}
