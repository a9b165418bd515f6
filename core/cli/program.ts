/** The command tree and its help. @module */
import { Command } from "@commander-js/extra-typings";
import { addCreate } from "./commands/create.ts";
import { addDemo } from "./commands/demo/mod.ts";
import type { Context } from "./environment.ts";
import { addGet } from "./commands/get.ts";
import { addNew } from "./commands/new_plugin.ts";
import type { Program } from "./options.ts";
import { addPlugins } from "./commands/plugins.ts";
import { addCheck } from "./commands/check.ts";
import { addPlan } from "./commands/plan.ts";
import { addReload } from "./commands/reload.ts";
import { addRemote } from "./commands/remote.ts";
import { addRun } from "./commands/run.ts";
import { addSeed } from "./commands/seed.ts";
import { addShow } from "./commands/show.ts";

const examples = `
Examples:
  weft get debian.torrent --out downloads
  weft seed debian.torrent --data downloads
  weft create holiday --tracker https://tracker.example/announce
  weft show debian.torrent
  weft run weft.yaml
  weft demo

Exit codes: 0 done, 1 failed, 2 a mistake in the command or the profile, 130 interrupted.
Each command explains itself: weft get --help`;

/** Builds the command tree. Commands set `context.exitCode`. */
export function buildProgram(context: Context): Program {
  const { terminal } = context;
  const program: Program = new Command("weft")
    .description("A BitTorrent runtime whose every protocol is a plugin.")
    .version(`weft ${context.version}`, "--version", "show the version")
    .option("--debug", "show debug messages, and the stack trace of an error")
    .helpOption("-h, --help", "explain a command")
    .addHelpText("after", examples)
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${command.usage()}`.replace(" [options]", "") })
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.error(text),
      outputError: (text, write) => write(text.replace(/^error: /, "weft: ")),
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
  program.hook("preAction", () => {
    context.debug = program.opts().debug ?? false;
  });
  addGet(program, context);
  addSeed(program, context);
  addCreate(program, context);
  addShow(program, context);
  addRun(program, context);
  addCheck(program, context);
  addPlugins(program, context);
  addRemote(program, context);
  addReload(program, context);
  addPlan(program, context);
  addNew(program, context);
  addDemo(program, context);
  return program;
}
