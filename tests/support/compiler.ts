/** A Deno that compiles binaries, where there is one. @module */

const root = new URL("../../", import.meta.url).pathname;
/** Lays out a compiler for machines that can't download what `deno compile` needs; not part of the repository. */
const SHARED = `${root}../shared`;
const TOOL = `${SHARED}/tools/denort`;

/** How to call the compiler. */
export interface Compiler {
  /** Path of its deno. */
  readonly deno: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The deno that the variable `WEFT_COMPILER` names, else the one that the tool lays out. A text says why there is none;
 * `required` whether there ought to be one.
 */
export async function findCompiler(): Promise<Compiler | { readonly missing: string; readonly required: boolean }> {
  const deno = Deno.env.get("WEFT_COMPILER");
  if (deno) return { deno, env: {} };
  if (!await exists(TOOL)) {
    const required = Deno.env.get("CI") === "true" && await exists(SHARED);
    return { missing: "WEFT_COMPILER names no deno that can compile", required };
  }
  const { success, stdout, stderr } = await new Deno.Command(TOOL).output();
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  const variables = Object.fromEntries(
    [...out.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]),
  );
  if (!success || !variables.DENO_COMPILE) throw new Error(`Cannot lay out a compiler: ${error}`);
  return { deno: variables.DENO_COMPILE, env: { DENORT_BIN: variables.DENORT_BIN } };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
