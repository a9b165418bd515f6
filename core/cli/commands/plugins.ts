/** `weft plugins`: the entries of a running Weft, and the built-ins. @module */
import { didYouMean, type Plugin, type Schema } from "../../api/mod.ts";
import { findWeft, profileHelp, stateHelp, stateOf } from "../connection.ts";
import { type Context, exitCodes, usageError } from "../environment.ts";
import type { Program } from "../options.ts";
import { entriesText, hooksText } from "../text/plugin_text.ts";
import { jsonText, table } from "../text/text.ts";

const details = `
Examples:
  weft plugins                   what runs with ./weft.db, and the built-ins
  weft plugins --hooks           also calls, failures and time by hook
  weft plugins tracker_http      a built-in, its settings, and how a profile uses it`;

/** Adds the command. */
export function addPlugins(program: Program, context: Context): void {
  program.command("plugins")
    .summary("show plugins: those that run, and the built-ins")
    .description(
      "Shows the plugins of the running Weft, if there is one, and the built-ins; with a name, that built-in.",
    )
    .argument("[name]", "a built-in plugin")
    .option("--hooks", "calls, failures and time by hook")
    .option("--state <file>", stateHelp)
    .option("--profile <file>", profileHelp)
    .option("--json", "one JSON object")
    .addHelpText("after", details)
    .action(async (name, options) => {
      const text = name === undefined
        ? await listText(context, options)
        : await builtinText(context, name, options.json ?? false);
      context.terminal.out(text);
      context.exitCode = exitCodes.done;
    });
}

interface ListOptions {
  readonly hooks?: true;
  readonly state?: string;
  readonly profile?: string;
  readonly json?: true;
}

async function listText(context: Context, options: ListOptions): Promise<string> {
  const state = await stateOf(context, options);
  const entries = (await (await findWeft(context, state))?.snapshot())?.plugins;
  const builtins = await Promise.all(
    Object.values(context.builtins).map(async (load) => facts((await load()).default)),
  );
  if (options.json) return jsonText({ running: entries ?? null, builtins }, 2) + "\n";

  const named = options.state !== undefined || options.profile !== undefined;
  return [
    entries && entriesText(entries, context.host.clock.wall()),
    entries && options.hooks && hooksText(entries),
    !entries && (named || options.hooks) && `no Weft runs with this state ("${state}")\n`,
    table([
      ["built-in", "what it does", "needs"],
      ...builtins.map(({ name, summary, needs }) => [name, summary, needs.join(", ")]),
    ]),
  ].filter((part) => typeof part === "string").join("\n");
}

async function builtinText({ builtins }: Context, name: string, json: boolean): Promise<string> {
  if (!Object.hasOwn(builtins, name)) {
    const known = Object.keys(builtins);
    throw usageError(`There is no built-in "${name}"${didYouMean(name, known) || `; they are ${known.join(", ")}`}`);
  }
  const { default: plugin } = await builtins[name]();
  const shown = facts(plugin);
  if (json) return jsonText(shown, 2) + "\n";
  // Loaded only here: nothing else of a running command writes YAML.
  const { stringify } = await import("yaml");
  const entry = { use: shown.name, ...(shown.example && { with: shown.example }) };
  const keys = Object.entries(plugin.config.keys ?? {});
  return `${shown.name}: ${shown.summary}\n\n${
    table([
      ["needs", shown.needs.join(", ") || "nothing"],
      ["provides", shown.provides.join(", ") || "nothing"],
      ...(keys.length > 0 ? [] : [["with", plugin.config.keys ? "nothing" : shown.config]]),
    ])
  }\n${keys.length > 0 ? `${keysText(keys)}\n` : ""}In a profile, for example:\n\n${
    indent(stringify({ plugins: [entry] }))
  }`;
}

/** The keys of an entry's `with`, a row each. */
function keysText(keys: readonly (readonly [string, Schema<unknown>])[]): string {
  const rows = keys.map(([key, { expects, fallback }]) => [
    key,
    expects,
    fallback ? valueText(fallback.written ?? fallback.value) : "required",
  ]);
  return table([["with", "what it is", "default"], ...rows]);
}

/** A value as a profile has it, in short. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(", ") || "none";
  if (typeof value !== "object" || value === null) return String(value ?? "-");
  if ("host" in value && "port" in value) return `${value.host}:${value.port}`;
  return JSON.stringify(value);
}

function facts({ name, summary = "", needs = [], provides = [], config, example }: Plugin) {
  return { name, summary, needs, provides, config: config.expects, example };
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}
