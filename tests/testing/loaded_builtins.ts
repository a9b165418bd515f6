import { builtins, type LoadBuiltin } from "../../plugins/mod.ts";

/**
 * The built-in plugins, loaded already. A simulation must use these: loading a module takes real time, in which
 * simulated time would run on.
 */
export const loadedBuiltins: Readonly<Record<string, LoadBuiltin>> = Object.fromEntries(
  await Promise.all(
    Object.entries(builtins).map(async ([name, load]): Promise<[string, LoadBuiltin]> => {
      const module = await load();
      return [name, () => Promise.resolve(module)];
    }),
  ),
);
