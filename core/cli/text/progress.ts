/** Swarms in words and bars. @module */
import { formatDuration, formatRate, formatSize, type SwarmSnapshot } from "../../api/mod.ts";
import { count, cut, printable } from "./text.ts";

/** Most characters of a progress bar, and its share of a narrower terminal. */
const BAR_WIDTH = 24;
const BAR_SHARE = 1 / 5;

/** The share of the wanted bytes that is there, 0 to 1; of a running check while one runs. */
export function shareDone(swarm: SwarmSnapshot): number {
  if (swarm.state === "checking") return swarm.checked ?? 0;
  if (swarm.wanted === 0) return swarm.state === "metadata" ? 0 : 1;
  return swarm.wantedDone / swarm.wanted;
}

/** Columns of its name that a swarm keeps beside a long reason. */
const MIN_NAME_WIDTH = 10;

/**
 * One swarm on a terminal: its name and state, then a bar and as many figures as fit, the most telling first. Lines are
 * shorter than `columns`.
 */
export function progressBlock(swarm: SwarmSnapshot, columns: number): string[] {
  const width = Math.min(BAR_WIDTH, Math.floor(columns * BAR_SHARE));
  const filled = Math.floor(shareDone(swarm) * width);
  let line = "█".repeat(filled) + "░".repeat(width - filled);
  for (const figure of figures(swarm)) {
    if (line.length + 2 + figure.length >= columns) break;
    line += `  ${figure}`;
  }
  // A long name gives way to what the swarm does.
  const name = cut(printable(swarm.name), Math.max(columns - 1 - situation(swarm).length, MIN_NAME_WIDTH));
  return [cut(name + situation(swarm), columns - 1), line];
}

/** One swarm as a plain line. */
export function progressLine(swarm: SwarmSnapshot): string {
  return `${headline(swarm)}, ${figures(swarm).join(", ")}`;
}

/** Name and state, with the reason of a failure, or why it is held. */
export function headline(swarm: SwarmSnapshot): string {
  return printable(swarm.name) + situation(swarm);
}

function situation({ state, error, held }: SwarmSnapshot): string {
  const reason = error ?? held;
  return `: ${state === "metadata" ? "fetching metadata" : state}${reason ? `: ${printable(reason)}` : ""}`;
}

/** `47%`, cut rather than rounded: 100% means that everything is there. */
export function percent(share: number): string {
  return `${Math.floor(share * 100)}%`;
}

/** `listening on [::]:6881`, or why not. Transports share an address, which is told once. */
export function listeningText(listening: readonly string[]): string {
  return listening.length > 0
    ? `listening on ${[...new Set(listening)].join(", ")}`
    : "not listening for peers: no plugin is a transport";
}

function figures(swarm: SwarmSnapshot): string[] {
  const { wanted, state, down, up, connected, piecesDone, pieces, eta } = swarm;
  return [
    state === "metadata" ? "" : `${percent(shareDone(swarm))} of ${formatSize(wanted)}`,
    state === "downloading" ? `down ${formatRate(down)}` : "",
    state === "downloading" && eta !== undefined
      ? `${formatDuration(Math.ceil(eta / 1000) * 1000, { parts: 2 })} left`
      : "",
    state === "checking" ? "" : count(connected, "peer"),
    state === "checking" ? "" : `up ${formatRate(up)}`,
    pieces > 0 ? `${piecesDone}/${count(pieces, "piece")}` : "",
  ].filter((figure) => figure !== "");
}
