/** Where tests of plugins have them: see there. @module */
export { loadedBuiltins } from "../testing/loaded_builtins.ts";
