/**
 * Profiles: from YAML to settings, or every mistake at once with its place.
 *
 * @module
 */
export * from "./path.ts";
export * from "./profile.ts";
