/** Entries of a profile for tests. @module */
import { definePlugin, object, type Plugin, type PluginEntry } from "../api/mod.ts";

/** An entry with this plugin, of which no more than a name is needed. */
export function testEntry(
  { name, ...plugin }: Partial<Plugin> & { readonly name: string },
  entry: Partial<PluginEntry> = {},
): PluginEntry {
  return {
    name,
    use: name,
    plugin: definePlugin({ name, config: object({}), setup() {}, ...plugin }) as Plugin,
    version: "1",
    files: [],
    config: {},
    isolate: "none",
    permissions: {},
    memory: 256 * 1024 * 1024,
    drain: 3_600_000,
    place: { file: "p.yaml", line: 1, column: 5 },
    ...entry,
  };
}
