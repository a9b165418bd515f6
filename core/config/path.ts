/** Parts of paths; both kinds of slash separate. @module */

/** `path` as seen from the folder `base`, without `.` and `..`; an absolute one stays what it names. */
export function resolvePath(base: string, path: string): string {
  const whole = isAbsolute(path) ? path : `${base}/${path}`;
  const root = /^(?:[A-Za-z]:)?[\\/]+/.exec(whole)?.[0] ?? "";
  const parts: string[] = [];
  for (const part of whole.slice(root.length).split(/[\\/]+/)) {
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part === ".." && root === "") parts.push(part);
    else if (part !== ".." && part !== "." && part !== "") parts.push(part);
  }
  return root.replace(/[\\/]+$/, "/") + parts.join("/") || ".";
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.split(/[\\/]+/).filter((part) => part !== "").at(-1) ?? "";
}

/** The folder that a path stands in. */
export function parentOf(path: string): string {
  return resolvePath(path, "..");
}

/** Whether a path starts at the root: `/srv`, `C:\data`. */
export function isAbsolute(path: string): boolean {
  return /^(?:[A-Za-z]:)?[\\/]/.test(path);
}
