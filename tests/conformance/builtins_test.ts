import { loadedBuiltins } from "../testing/mod.ts";
import { conformance } from "./mod.ts";

for (const load of Object.values(loadedBuiltins)) conformance((await load()).default);
