/** The swarms that a profile brings: what they are, and how they differ from those that are here. @module */
import { ConfigError, type Disk, errorText, type PlanChange, type SwarmSetting } from "../api/mod.ts";
import { selectionProblem } from "../swarm/mod.ts";
import { isMagnet } from "../wire/mod.ts";
import { describeSource, type SourceDescription } from "./source.ts";
import { differences } from "./plan.ts";

/** A torrent has at most 64 MiB, as core/wire reads them. */
const MAX_TORRENT = 64 * 1024 * 1024;

/** A swarm of the profile, read. */
export interface ProfileSwarm {
  readonly setting: SwarmSetting;
  readonly source: Uint8Array | string;
  readonly description: SourceDescription;
}

/** A swarm that is here. */
export interface PresentSwarm {
  readonly name: string;
  readonly record: {
    readonly key: string;
    readonly origin: "profile" | "user";
    /** What the profile said of it last. */
    readonly setting?: SwarmSetting;
  };
}

/** What makes the swarms that are here those of a profile. */
export interface SwarmPlan<S extends PresentSwarm> {
  readonly added: readonly ProfileSwarm[];
  readonly removed: readonly S[];
  /** Swarms of which the profile says something else now, and the keys that differ. */
  readonly changed: readonly { readonly swarm: S; readonly setting: SwarmSetting; readonly keys: readonly string[] }[];
  readonly changes: readonly PlanChange[];
}

/** Reads the torrents that a profile names. What can't be read is told as a problem, with its place. */
export async function readProfileSwarms(
  disk: Pick<Disk, "readFile">,
  settings: readonly SwarmSetting[],
): Promise<{ readonly swarms: readonly ProfileSwarm[]; readonly problems: readonly string[] }> {
  const swarms: ProfileSwarm[] = [];
  const problems: string[] = [];
  const keys = new Set<string>();
  for (const setting of settings) {
    const { add } = setting;
    try {
      const source = isMagnet(add) ? add : await disk.readFile(add, { maxBytes: MAX_TORRENT });
      const description = describeSource(source);
      const { key } = description.id;
      if (keys.has(key)) throw new Error("an entry above it is the same torrent; remove one of the two");
      const problem = description.info && selectionProblem(setting.select, description.info.files.length);
      if (problem) throw new Error(problem);
      keys.add(key);
      swarms.push({ setting, source, description });
    } catch (error) {
      problems.push(`${placePrefix(setting)}cannot add "${add}": ${errorText(error)}`);
    }
  }
  return { swarms, problems };
}

/**
 * Compares the swarms that are here with those of the profile. Only what a profile brought is changed or removed.
 *
 * @throws {ConfigError} when the profile wants what can't be done to a swarm that is here, with its place
 */
export function planSwarms<S extends PresentSwarm>(
  present: Iterable<S>,
  wanted: readonly ProfileSwarm[],
): SwarmPlan<S> {
  const here = new Map([...present].map((swarm) => [swarm.record.key, swarm]));
  const keys = new Set(wanted.map(({ description }) => description.id.key));
  const removed = [...here.values()].filter(({ record }) => record.origin === "profile" && !keys.has(record.key));
  const added = wanted.filter(({ description: { id } }) => !here.has(id.key));
  const changed: { swarm: S; setting: SwarmSetting; keys: string[] }[] = [];
  const problems: string[] = [];
  for (const { setting, description } of wanted) {
    const swarm = here.get(description.id.key);
    if (swarm?.record.origin !== "profile" || !swarm.record.setting) continue;
    const differing = settingDifferences(swarm.record.setting, setting);
    if (differing.includes("path")) {
      problems.push(
        `${placePrefix(setting)}cannot move "${swarm.name}" to "${setting.path}" while it is here; ` +
          "remove the entry, reload, move the files, and add it again",
      );
    }
    if (differing.length > 0) changed.push({ swarm, setting, keys: differing });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const changes: PlanChange[] = [
    ...removed.map(({ name }): PlanChange => ({ action: "remove", what: `swarm ${name}`, why: "its files stay" })),
    ...added.map(({ description }): PlanChange => ({ action: "add", what: `swarm ${description.name}` })),
    ...changed.map(({ swarm, keys }): PlanChange => ({
      action: "change",
      what: `swarm ${swarm.name}`,
      why: keys.join(", "),
    })),
  ];
  return { added, removed, changed, changes };
}

/** The keys of a setting that differ. What it is called in the profile, and where it stands, makes no difference. */
function settingDifferences(before: SwarmSetting, after: SwarmSetting): string[] {
  const { add: _, place: _place, ...old } = before;
  const { add: _add, place: _at, ...now } = after;
  // As they are saved: without what is undefined.
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  return differences(plain(old), plain(now), "").map((path) => path.slice(1));
}

function placePrefix({ place }: SwarmSetting): string {
  return place ? `${place.file}:${place.line}:${place.column}: ` : "";
}
