/** `weft create`: a torrent from a file or a folder. @module */
import { ConfigError, formatSize } from "../../api/mod.ts";
import { MAX_PIECE_LENGTH, parseMetainfo, parseServiceUrl } from "../../wire/mod.ts";
import { type Context, exitCodes, usageError } from "../environment.ts";
import { collectFiles } from "../files.ts";
import { hashFiles } from "../hash_files.ts";
import { baseName, parentOf, resolvePath } from "../../config/mod.ts";
import { type Program, repeated, sizeOption } from "../options.ts";
import { StatusLine } from "../text/status_line.ts";
import { magnetOf } from "./show.ts";
import { count, printable, table } from "../text/text.ts";
import { buildTorrent, choosePieceLength, MIN_PIECE_LENGTH } from "../torrent.ts";

interface CreateOptions {
  readonly out?: string;
  readonly tracker?: readonly string[];
  readonly webSeed?: readonly string[];
  readonly private?: true;
  readonly pieceLength?: number;
  readonly comment?: string;
  readonly source?: string;
  readonly force?: true;
}

/** Adds the command. */
export function addCreate(program: Program, context: Context): void {
  program.command("create")
    .summary("make a .torrent file")
    .description("Makes a .torrent file of a file or a folder. Symlinks and special files are left out.")
    .argument("<path>", "file or folder")
    .option("--out <file>", "where to write it (default: NAME.torrent)")
    .option("--tracker <url>", "announce URL; may be repeated, each is a tier", repeated)
    .option("--web-seed <url>", "URL that serves the files; may be repeated", repeated)
    .option("--private", "peers only from its trackers (BEP 27)")
    .option("--piece-length <size>", "a power of two, like 1MiB (default: for 1,000 to 2,000 pieces)", sizeOption)
    .option("--comment <text>", "a comment")
    .option("--source <text>", "a tag that makes the info-hash its own")
    .option("--force", "overwrite an existing file")
    .action(async (path, options) => {
      await create(context, path, options);
      context.exitCode = exitCodes.done;
    });
}

async function create(context: Context, path: string, options: CreateOptions): Promise<void> {
  const { host: { disk, clock }, terminal, cwd, version } = context;
  checkOptions(options);
  const root = resolvePath(cwd, path);
  const name = baseName(root);
  const out = resolvePath(cwd, options.out ?? `${name}.torrent`);
  const folder = parentOf(out);
  if ((await disk.stat(folder))?.kind !== "directory") {
    throw usageError(`There is no folder "${folder}" to write "${baseName(out)}" in`);
  }
  if (!options.force && await disk.lstat(out)) {
    throw usageError(`"${options.out ?? `${name}.torrent`}" exists; use --force to overwrite it, or --out for another`);
  }

  const { files, skipped, multi } = await collectFiles(disk, root, out);
  for (const each of skipped) terminal.error(`weft: skips ${each.what} "${printable(each.path)}"\n`);
  const length = files.reduce((sum, file) => sum + file.length, 0);
  if (length === 0) throw usageError(`Cannot create a torrent of "${path}": there is nothing in it`);

  const pieceLength = options.pieceLength ?? choosePieceLength(length);
  const status = new StatusLine(terminal, clock);
  const pieces = await hashFiles(disk, files, pieceLength, (done) => {
    status.show(`hashing ${Math.floor(done / length * 100)}% of ${formatSize(length)}`);
  }).finally(() => status.clear());

  const torrent = buildTorrent({
    name,
    files,
    multi,
    pieceLength,
    pieces,
    trackers: (options.tracker ?? []).map((url) => url.trim()),
    webSeeds: (options.webSeed ?? []).map((url) => url.trim()),
    private: options.private ?? false,
    comment: options.comment,
    source: options.source,
    createdBy: `Weft ${version}`,
    creationDate: Math.floor(clock.wall() / 1000),
  });
  await disk.writeFile(out, torrent);

  const metainfo = parseMetainfo(torrent);
  const { info } = metainfo;
  const parts = `${count(files.length, "file")}, ${formatSize(length)}, ${count(info.pieceCount, "piece")} of ${
    formatSize(pieceLength)
  }`;
  terminal.out(table([["info-hash", info.id.hex], ["magnet", magnetOf(metainfo)], ["wrote", `${out} (${parts})`]]));
}

const TRACKER_SCHEMES = ["http:", "https:", "udp:", "ws:", "wss:"];
const WEB_SEED_SCHEMES = ["http:", "https:"];

function urlProblems(option: string, url: string, schemes: readonly string[]): string[] {
  try {
    parseServiceUrl(url, schemes);
    return [];
  } catch (error) {
    return [`${option}: ${(error as Error).message}`];
  }
}

function checkOptions({ tracker = [], webSeed = [], pieceLength }: CreateOptions): void {
  const problems = [
    ...tracker.flatMap((url) => urlProblems("--tracker", url, TRACKER_SCHEMES)),
    ...webSeed.flatMap((url) => urlProblems("--web-seed", url, WEB_SEED_SCHEMES)),
  ];
  if (pieceLength !== undefined) {
    const fits = pieceLength >= MIN_PIECE_LENGTH && pieceLength <= MAX_PIECE_LENGTH &&
      Number.isInteger(Math.log2(pieceLength));
    if (!fits) {
      problems.push(
        `--piece-length: ${pieceLength} must be a power of two from ${formatSize(MIN_PIECE_LENGTH)} to ${
          formatSize(MAX_PIECE_LENGTH)
        }`,
      );
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
}
