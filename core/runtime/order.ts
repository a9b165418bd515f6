/** Puts entries in the order in which they can start: what one needs is provided before it. @module */
import { type Builtins, ConfigError, type PluginEntry } from "../api/mod.ts";

/**
 * Entries so that each stands behind those whose capabilities it needs; otherwise in the profile's order, which is
 * also the order of hooks.
 *
 * @param builtins for the error: those that would provide what is missing are named
 * @throws {ConfigError} for every unmet need, and for a cycle, each with its place
 */
export async function startOrder(
  entries: readonly PluginEntry[],
  builtins: Builtins,
): Promise<PluginEntry[]> {
  const problems: string[] = [];
  const providers = (capability: string): PluginEntry[] =>
    entries.filter(({ plugin }) => plugin.provides?.includes(capability));
  for (const entry of entries) {
    for (const need of entry.plugin.needs ?? []) {
      if (providers(need).length > 0) continue;
      const names = await providing(need, builtins);
      const remedy = names.length > 0 ? `; add ${names.map((name) => `"- use: ${name}"`).join(" or ")}` : "";
      problems.push(
        `${placeOf(entry)}: cannot start "${entry.name}": it needs ${need}, which no entry provides${remedy}`,
      );
    }
  }
  const ordered = new Set<PluginEntry>();
  const path: PluginEntry[] = [];
  const visit = (next: PluginEntry): void => {
    if (ordered.has(next)) return;
    if (path.includes(next)) {
      const circle = [...path.slice(path.indexOf(next)), next].map(({ name }) => `"${name}"`).join(" needs ");
      problems.push(`${placeOf(next)}: cannot start "${next.name}": ${circle}; remove one of these entries`);
      return;
    }
    path.push(next);
    for (const need of next.plugin.needs ?? []) providers(need).filter((each) => each !== next).forEach(visit);
    path.pop();
    ordered.add(next);
  };
  for (const each of entries) visit(each);
  if (problems.length > 0) throw new ConfigError(problems);
  return [...ordered];
}

async function providing(capability: string, builtins: Builtins): Promise<string[]> {
  const names: string[] = [];
  for (const [name, load] of Object.entries(builtins)) {
    if ((await load()).default.provides?.includes(capability)) names.push(name);
  }
  return names;
}

/** `file:line:column` of an entry. */
export function placeOf({ place: { file, line, column } }: PluginEntry): string {
  return `${file}:${line}:${column}`;
}
