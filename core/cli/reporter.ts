/** How a running command tells what happens: a block redrawn on a terminal, plain lines, or lines of JSON. @module */
import type { Clock, RuntimeEvent, RuntimeSnapshot, SwarmSnapshot, Terminal, TrackerStatus } from "../api/mod.ts";
import type { LogLine } from "../runtime/mod.ts";
import type { Context } from "./environment.ts";
import { changeLine } from "./text/change_text.ts";
import { problemLines } from "./text/problems.ts";
import { headline, progressBlock, progressLine } from "./text/progress.ts";
import type { ReloadOutcome } from "../profile/mod.ts";
import { StallProbe } from "./stall_probe.ts";
import { REDRAW_INTERVAL } from "./text/status_line.ts";
import { jsonText, printable } from "./text/text.ts";

/** Milliseconds between two lines of progress where nobody watches a terminal. */
const PLAIN_INTERVAL = 5_000;
/** Milliseconds between two `progress` events of `--json`. */
const JSON_INTERVAL = 1_000;
/** Swarms that a terminal shows at once; more would push the first off the screen, and redrawing then fails. */
const SHOWN_SWARMS = 8;

/** Tells the user what happens. */
export interface Reporter {
  /** The runtime is up: stalls are measured from now on. */
  begin(): void;
  /** Milliseconds between two calls of `progress`. */
  readonly period: number;
  progress(snapshot: RuntimeSnapshot): void;
  event(event: RuntimeEvent): void;
  /** A swarm came, went or changed its state. */
  milestone(snapshot: RuntimeSnapshot): void;
  /** A line for people; lines of JSON leave it out. */
  note(text: string): void;
  log(line: LogLine): void;
  /** A reload was done, or refused. */
  reload(outcome: ReloadOutcome): void;
  /** The last word: the command ends with `code`. */
  end(code: number): void;
}

/** What chooses the kind of report. */
export interface ReportOptions {
  readonly json?: true;
  /** Measure the main thread's worst stall, and say it at the end; `json` always does. */
  readonly stall?: true;
}

/** The reporter for this terminal and these options. */
export function createReporter(context: Context, options: ReportOptions): Reporter {
  const { terminal, host: { clock }, debug } = context;
  const probe = options.json || options.stall ? new StallProbe(clock) : undefined;
  if (options.json) return new JsonReporter(terminal, clock, debug, probe!);
  return terminal.interactive ? new BlockReporter(terminal, debug, probe) : new PlainReporter(terminal, debug, probe);
}

class PlainReporter implements Reporter {
  readonly period: number = PLAIN_INTERVAL;
  readonly #headlines = new Map<string, string>();
  /** What each tracker said last that was wrong. */
  readonly #troubles = new Map<string, string>();

  constructor(readonly terminal: Terminal, readonly debug: boolean, readonly probe?: StallProbe) {}

  begin(): void {
    this.probe?.begin();
  }

  progress(snapshot: RuntimeSnapshot): void {
    for (const swarm of snapshot.swarms) {
      const moving = swarm.state === "downloading" || swarm.state === "checking" || swarm.up > 0;
      if (!this.#tellState(swarm) && moving) this.terminal.out(`${progressLine(swarm)}\n`);
    }
  }

  milestone({ swarms }: RuntimeSnapshot): void {
    for (const swarm of swarms) this.#tellState(swarm);
  }

  event({ event, swarm, data }: RuntimeEvent): void {
    if (event !== "tracker.status") return;
    const { url, error, warning } = data.status as TrackerStatus;
    const trouble = error ?? warning;
    const key = `${swarm} ${url}`;
    if (trouble === undefined || this.#troubles.get(key) === trouble) return;
    this.#troubles.set(key, trouble);
    const remedy = trouble.includes("egress.allow") ? ", or allow this torrent's trackers with --allow-local" : "";
    this.log({ level: "warn", source: "weft", message: `tracker ${url}: ${trouble}${remedy}` });
  }

  note(text: string): void {
    this.terminal.out(`${printable(text)}\n`);
  }

  /** Tells a swarm's state if it is new; returns whether it was. */
  #tellState(swarm: SwarmSnapshot): boolean {
    const line = headline(swarm);
    if (this.#headlines.get(swarm.id) === line) return false;
    this.#headlines.set(swarm.id, line);
    this.terminal.out(`${line}\n`);
    return true;
  }

  log(line: LogLine): void {
    if (isShown(line, this.debug)) this.terminal.error(logText(line));
  }

  reload({ changes, problems }: ReloadOutcome): void {
    if (problems) this.terminal.error(refusalText(problems));
    else if (changes.length === 0) this.note("reloaded: nothing changed");
    else for (const change of changes) this.note(`reloaded: ${changeLine(change)}`);
  }

  end(): void {
    if (this.probe) this.terminal.error(`worst stall of the main thread: ${this.probe.stop()} ms\n`);
  }
}

class BlockReporter extends PlainReporter {
  override readonly period = REDRAW_INTERVAL;
  #lines = 0;

  override progress({ swarms }: RuntimeSnapshot): void {
    const shown = swarms.slice(0, SHOWN_SWARMS);
    const lines = shown.flatMap((swarm) => progressBlock(swarm, this.terminal.columns));
    if (swarms.length > shown.length) lines.push(`… and ${swarms.length - shown.length} more`);
    this.terminal.out(this.#clear() + lines.map((line) => `${line}\n`).join(""));
    this.#lines = lines.length;
  }

  // The block shows it soon.
  override milestone(): void {}

  override note(text: string): void {
    this.terminal.out(this.#clear());
    super.note(text);
  }

  override log(line: LogLine): void {
    if (isShown(line, this.debug)) this.terminal.out(this.#clear());
    super.log(line);
  }

  override reload(outcome: ReloadOutcome): void {
    this.terminal.out(this.#clear());
    super.reload(outcome);
  }

  #clear(): string {
    const up = this.#lines > 0 ? `\x1b[${this.#lines}A\x1b[J` : "";
    this.#lines = 0;
    return up;
  }
}

class JsonReporter implements Reporter {
  readonly period = JSON_INTERVAL;
  readonly #start: number;

  constructor(
    readonly terminal: Terminal,
    readonly clock: Clock,
    readonly debug: boolean,
    readonly probe: StallProbe,
  ) {
    this.#start = clock.now();
  }

  begin(): void {
    this.probe.begin();
  }

  progress({ swarms }: RuntimeSnapshot): void {
    for (const swarm of swarms) this.#write(progressEvent(swarm));
  }

  event(event: RuntimeEvent): void {
    this.#write(event);
  }

  milestone(): void {}

  note(): void {}

  log(line: LogLine): void {
    if (isShown(line, this.debug)) this.terminal.error(logText(line));
  }

  reload(outcome: ReloadOutcome): void {
    if (outcome.problems) this.terminal.error(refusalText(outcome.problems));
    this.#write({ event: "reload", ...outcome });
  }

  end(code: number): void {
    const seconds = (this.clock.now() - this.#start) / 1000;
    this.#write({ event: "exit", code, worstStallMs: this.probe.stop(), seconds: Math.round(seconds * 1000) / 1000 });
  }

  #write(value: object): void {
    this.terminal.out(jsonText(value) + "\n");
  }
}

function progressEvent(swarm: SwarmSnapshot): object {
  const { id, name, state, error, wantedDone, wanted, down, up, connected, downloaded, uploaded, wasted } = swarm;
  return {
    event: "progress",
    swarm: id,
    name,
    state,
    error,
    done: wantedDone,
    wanted,
    down: Math.round(down),
    up: Math.round(up),
    peers: connected,
    downloaded,
    uploaded,
    wasted,
  };
}

function refusalText(problems: readonly string[]): string {
  return [...problemLines(problems), "weft: not reloaded; what ran goes on"].map((line) => `${line}\n`).join("");
}

function isShown({ level }: LogLine, debug: boolean): boolean {
  return debug || level === "warn" || level === "error";
}

function logText({ level, source, message }: LogLine): string {
  const parts = ["weft", ...level === "warn" || level === "error" ? [] : [level], ...source === "weft" ? [] : [source]];
  return `${parts.join(": ")}: ${printable(message)}\n`;
}
