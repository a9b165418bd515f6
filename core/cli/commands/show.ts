/** `weft show`: what a torrent or a magnet says. @module */
import { formatSize } from "../../api/mod.ts";
import { formatMagnet, type Magnet, type Metainfo, parseServiceUrl, toHex } from "../../wire/mod.ts";
import { type Context, exitCodes } from "../environment.ts";
import type { Program } from "../options.ts";
import { readSource } from "../source.ts";
import { count, jsonText, printable, table } from "../text/text.ts";

/** Adds the command. */
export function addShow(program: Program, context: Context): void {
  program.command("show")
    .summary("show what a .torrent file or a magnet link says")
    .description("Shows what a .torrent file or a magnet link says. Its file numbers are those of --select.")
    .argument("<torrent>", ".torrent file or magnet link")
    .option("--json", "one JSON object")
    .action(async (torrent, options) => {
      const read = await readSource(context, torrent);
      const text = read.kind === "magnet"
        ? options.json ? json(describeMagnet(read.magnet)) : showMagnet(read.magnet)
        : options.json
        ? json(describeTorrent(read.metainfo))
        : showTorrent(read.metainfo);
      context.terminal.out(text);
      context.exitCode = exitCodes.done;
    });
}

/** The magnet link of a torrent. */
export function magnetOf({ info, announce, webSeeds }: Metainfo): string {
  return formatMagnet({ id: info.id, name: info.name, trackers: announce.flat(), peers: [], webSeeds });
}

function describeTorrent(metainfo: Metainfo): Record<string, unknown> {
  const { info } = metainfo;
  return {
    kind: "torrent",
    infoHash: info.id.v1?.hex,
    infoHashV2: info.id.v2 && toHex(info.id.v2),
    name: info.name,
    length: info.length,
    pieceLength: info.pieceLength,
    pieces: info.pieceCount,
    private: info.private,
    source: info.source,
    comment: metainfo.comment,
    createdBy: metainfo.createdBy,
    creationDate: metainfo.creationDate,
    trackers: metainfo.announce,
    webSeeds: metainfo.webSeeds,
    nodes: metainfo.nodes,
    files: info.files.map(({ path, length, pad }, index) => ({ number: index + 1, path: path.join("/"), length, pad })),
    magnet: magnetOf(metainfo),
  };
}

function describeMagnet({ id, ...rest }: Magnet): Record<string, unknown> {
  return { kind: "magnet", infoHash: id.v1?.hex, infoHashV2: id.v2 && toHex(id.v2), ...rest };
}

function showTorrent(metainfo: Metainfo): string {
  const { info } = metainfo;
  const shown = info.files.map((file, index) => ({ file, number: index + 1 })).filter(({ file }) => !file.pad);
  const pieces = `${count(info.pieceCount, "piece")} of ${formatSize(info.pieceLength)}`;
  const head = facts([
    ["name", info.name],
    ["info-hash", info.id.v1?.hex],
    ["info-hash v2", info.id.v2 && toHex(info.id.v2)],
    ["size", `${formatSize(info.length)} in ${count(shown.length, "file")}, ${pieces}`],
    ["private", info.private ? "yes: peers only from its trackers" : undefined],
    ["source", info.source],
    ["comment", metainfo.comment],
    ["created by", metainfo.createdBy],
    ["created", date(metainfo.creationDate)],
    ...metainfo.announce.map((tier, i): Fact => [`tracker tier ${i + 1}`, tier.map(judged).join("  ")]),
    ...metainfo.webSeeds.map((url): Fact => ["web seed", judged(url)]),
    ...metainfo.nodes.map(({ host, port }): Fact => ["DHT node", `${host}:${port}`]),
    ["magnet", magnetOf(metainfo)],
  ]);
  const rows = shown.map(({ file, number }) => [
    String(number),
    formatSize(file.length),
    printable(file.path.join("/")) + (file.symlink ? ` -> ${printable(file.symlink.join("/"))}` : ""),
  ]);
  return `${head}\n${table([[" #", " size", "file"], ...rows])}`;
}

function showMagnet({ id, name, trackers, peers, webSeeds, select }: Magnet): string {
  return facts([
    ["name", name],
    ["info-hash", id.v1?.hex],
    ["info-hash v2", id.v2 && toHex(id.v2)],
    ...trackers.map((url): Fact => ["tracker", judged(url)]),
    ...peers.map((peer): Fact => ["peer", peer]),
    ...webSeeds.map((url): Fact => ["web seed", judged(url)]),
    ["files", select?.map(([from, to]) => from === to ? `${from + 1}` : `${from + 1}-${to + 1}`).join(",")],
  ]);
}

/** A URL, and that it can't be used where it can't. */
function judged(url: string): string {
  try {
    parseServiceUrl(url);
    return url;
  } catch {
    return `${url} (can't be used: it needs a host and a port other than 0)`;
  }
}

type Fact = [name: string, value: string | undefined];

function facts(all: readonly Fact[]): string {
  const said = all.flatMap(([name, value]) => value === undefined ? [] : [[name, printable(value)]]);
  return table(said);
}

function date(seconds: number | undefined): string | undefined {
  const time = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: "UTC" });
  const limit = 8.64e12; // the last second that a date can hold
  return seconds === undefined || Math.abs(seconds) > limit ? undefined : `${time.format(seconds * 1000)} UTC`;
}

function json(value: unknown): string {
  return jsonText(value, 2) + "\n";
}
