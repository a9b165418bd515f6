import { loadedBuiltins } from "../support/loaded_builtins.ts";
import { conformance } from "./mod.ts";

for (const load of Object.values(loadedBuiltins)) conformance((await load()).default);
