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

/** Whether a path starts at the root: `/srv`, `C:\data`. */
export function isAbsolute(path: string): boolean {
  return /^(?:[A-Za-z]:)?[\\/]/.test(path);
}
