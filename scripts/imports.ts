/**
 * Checks who imports whom: the rooms' directions, no circles, and the platform only where it belongs.
 * Run by `deno task ok`; prints every fault as `file:line: message` and exits 1 if there is any.
 *
 * @module
 */

/** What each room may import besides itself. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  "core/wire": [],
  "core/api": ["core/wire"],
  "core/bus": ["core/api", "core/wire"],
  "core/store": ["core/api", "core/wire"],
  "core/config": ["core/api", "core/wire"],
  "core/control": ["core/api", "core/wire"],
  "core/net": ["core/api", "core/wire"],
  "core/host": ["core/api", "core/wire"],
  "core/swarm": ["core/api", "core/wire", "core/bus", "core/store", "core/net"],
  "core/profile": ["core/api", "core/wire", "core/config", "core/net", "core/sandbox"],
  "core/runtime": ["core/api", "core/wire", "core/bus", "core/store", "core/config", "core/net", "core/swarm"],
  "core/sandbox": ["core/api", "core/wire", "core/config", "core/net"],
  // Where the sandbox meets the world it runs in, as mod.ts is where Weft does.
  "core/guest": ["core/api", "core/sandbox", "core/host"],
  "core/cli": [
    "core/api",
    "core/wire",
    "core/bus",
    "core/store",
    "core/config",
    "core/control",
    "core/net",
    "core/profile",
    "core/swarm",
    "core/runtime",
    "core/sandbox",
  ],
  "plugins": [],
};
/** Where others enter a room, besides its `mod.ts`; the host and what joins it are worlds of their own. */
const ENTRANCES = [
  "core/api/host.ts", // for the host's workers, which load no more than they must
  "core/api/hooks.ts", // the catalogue as a whole: which hooks cross to a sandbox
  "core/api/schema_support.ts", // what decoders of configuration share, no part of the contract
  "core/api/candidate.ts", // the kernel's own reading of what plugins yield
];
/** Rooms that may reach for the world. */
const WORLDLY = ["core/host", "core/guest"];
/** What any plugin may import besides its own folder. */
const FOR_PLUGINS = ["core/api", "core/wire"];

/** Words that reach for the world, which only the host may do. */
const PLATFORM: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\bDeno\./, "Deno.*"],
  [/\b(?:setTimeout|setInterval|setImmediate)\b/, "timers"],
  [/\bDate\.now\b|\bnew Date\(\)/, "the wall clock"],
  [/\bperformance\.(?:now|mark|timeOrigin)\b/, "the monotonic clock"],
  [/\bMath\.random\b|\bcrypto\.(?:getRandomValues|randomUUID|subtle)\b/, "randomness"],
  [/(?:\bawait|\breturn|=|=>|\()\s*(?:globalThis\.)?fetch\(/, "fetch"],
];

/** An import statement. */
interface Import {
  readonly specifier: string;
  readonly line: number;
  /** It loads later, when it is called for: it makes no circle. */
  readonly dynamic: boolean;
}

/**
 * Every fault in the sources, given by path from the repository's root. Tests, and what only they use
 * (`test_*.ts`), are free to import what they test.
 */
export function findFaults(sources: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, source] of sources) {
    if (/(^|\/)(test_\w+|\w+_test)\.ts$/.test(file)) continue;
    const targets: string[] = [];
    for (const { specifier, line, dynamic } of importsOf(source)) {
      const problem = judge(file, specifier);
      if (problem) faults.push(`${file}:${line}: ${problem}`);
      const target = resolve(file, specifier);
      if (target && !dynamic) targets.push(target);
    }
    graph.set(file, targets);
    faults.push(...platformFaults(file, source));
  }
  return [...faults, ...circles(graph)];
}

function judge(file: string, specifier: string): string | undefined {
  const room = roomOf(file);
  if (!room) return undefined;
  if (specifier.startsWith("node:")) {
    const allowed = WORLDLY.includes(room) || (file === "core/wire/digest.ts" && specifier === "node:crypto");
    return allowed ? undefined : `"${specifier}" may be imported by the host alone`;
  }
  const target = resolve(file, specifier);
  if (!target) return undefined; // a package
  if (room === "plugins") return judgePlugin(file, target);
  const targetRoom = roomOf(target);
  if (targetRoom === room) return undefined;
  if (!targetRoom || !ROOMS[room].includes(targetRoom)) return `${room} may not import ${targetRoom ?? target}`;
  const entered = target === `${targetRoom}/mod.ts` || targetRoom === "core/host" || ENTRANCES.includes(target);
  return entered ? undefined : `${targetRoom} is entered by its mod.ts, not by ${target}`;
}

function judgePlugin(file: string, target: string): string | undefined {
  const own = file.split("/").slice(0, 2).join("/");
  const inside = file === "plugins/mod.ts" ? target.startsWith("plugins/") : target.startsWith(`${own}/`);
  if (inside || FOR_PLUGINS.includes(roomOf(target) ?? "")) return undefined;
  return `a plugin may import "weft", core/wire and its own folder, not ${target}`;
}

function platformFaults(file: string, source: string): string[] {
  const room = roomOf(file);
  if (!room || WORLDLY.includes(room)) return [];
  return withoutTexts(source).split("\n").flatMap((line, i) =>
    PLATFORM.filter(([pattern]) => pattern.test(line))
      .map(([, what]) => `${file}:${i + 1}: ${what} may be used by the host alone`)
  );
}

/** Circles of imports, each once, from its first file in the alphabet. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const faults: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) faults.push(`${file}:1: imports itself: ${[...path.slice(start), file].join(" -> ")}`);
    if (start >= 0 || done.has(file)) return;
    path.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of [...graph.keys()].sort()) visit(file);
  return faults;
}

function importsOf(source: string): Import[] {
  const statement =
    /^[ \t]*(?:import|export)\s+(?:[\w*\s{},$]+\sfrom\s*)?"([^"]+)"|(?<![\w.])import\(\s*"([^"]+)"\s*\)/gm;
  return [...withoutComments(source).matchAll(statement)].map((match) => ({
    specifier: match[1] ?? match[2],
    line: source.slice(0, match.index).split("\n").length,
    dynamic: match[2] !== undefined,
  }));
}

function resolve(file: string, specifier: string): string | undefined {
  if (specifier === "weft") return "core/api/mod.ts";
  if (!specifier.startsWith(".")) return undefined;
  return new URL(specifier, `file:///${file}`).pathname.slice(1);
}

function roomOf(file: string): string | undefined {
  return Object.keys(ROOMS).find((room) => file.startsWith(`${room}/`));
}

/** The source with comments blanked, so that lines stay where they are. */
function withoutComments(source: string): string {
  const blank = (text: string): string => text.replace(/[^\n]/g, " ");
  return source.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/(?<=^|\s)\/\/.*$/gm, blank);
}

function withoutTexts(source: string): string {
  return withoutComments(source).replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
}

async function readSources(folder: string, into: Map<string, string>): Promise<void> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) await readSources(path, into);
    else if (entry.name.endsWith(".ts")) into.set(path, await Deno.readTextFile(path));
  }
}

if (import.meta.main) {
  const sources = new Map<string, string>();
  for (const folder of ["core", "plugins"]) await readSources(folder, sources);
  const faults = findFaults(sources);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
  console.log(`imports: ${sources.size} files, no faults`);
}
