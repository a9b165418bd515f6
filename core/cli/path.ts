/** Paths as the command line needs them; both kinds of slash separate. @module */

/** `path` as seen from the folder `base`, made absolute, without `.` and `..`. */
export function resolvePath(base: string, path: string): string {
  const whole = isAbsolute(path) ? path : `${base}/${path}`;
  const [, root, rest] = /^([A-Za-z]:)?[\\/]*(.*)$/s.exec(whole)!;
  const parts: string[] = [];
  for (const part of rest.split(/[\\/]+/)) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `${root ?? ""}/${parts.join("/")}`;
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.split(/[\\/]+/).filter((part) => part !== "").at(-1) ?? "";
}

/** The folder that a path stands in. */
export function parentOf(path: string): string {
  return resolvePath(path, "..");
}

function isAbsolute(path: string): boolean {
  return /^([A-Za-z]:)?[\\/]/.test(path);
}
