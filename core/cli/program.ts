/** The command tree and its help. @module */
import { Command } from "@commander-js/extra-typings";
import { addCreate } from "./create.ts";
import { addDemo } from "./demo/mod.ts";
import type { Context } from "./environment.ts";
import { addGet } from "./get.ts";
import { addNew } from "./new_plugin.ts";
import type { Program } from "./options.ts";
import { addPlugins } from "./plugins.ts";
import { addCheck } from "./check.ts";
import { addPlan } from "./plan.ts";
import { addReload } from "./reload.ts";
import { addRemote } from "./remote.ts";
import { addRun } from "./run.ts";
import { addSeed } from "./seed.ts";
import { addShow } from "./show.ts";

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
