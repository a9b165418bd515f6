/** Parts of paths; both kinds of slash separate. @module */
import { resolvePath } from "../config/mod.ts";

export { resolvePath };

/** The last part of a path. */
export function baseName(path: string): string {
  return path.split(/[\\/]+/).filter((part) => part !== "").at(-1) ?? "";
}

/** The folder that a path stands in. */
export function parentOf(path: string): string {
  return resolvePath(path, "..");
}
