/**
 * A profile's life: read from its file, its plugins found, its edits followed.
 *
 * @module
 */
export { defaultSettings, type ProfileEnvironment, readProfile, readStatePath } from "./load.ts";
export { Reloader, type ReloaderOptions, type ReloadOutcome, SETTLE_TIME } from "./reloader.ts";
export { pluginResolver, type PluginSources, urlOf } from "./resolve_plugin.ts";
