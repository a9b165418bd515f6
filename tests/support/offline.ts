/**
 * Options for `weft get` and `weft seed` without a profile: tests speak to this machine alone, so the plugins that ask
 * the internet, or the neighbours, are left out.
 */
export const offline: readonly string[] = ["--without", "dht", "--without", "lpd"];
