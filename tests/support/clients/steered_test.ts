import assert from "node:assert/strict";
import { Steered } from "./steered.ts";

const here = { name: "here", ip: "127.0.0.1", command: (argv: readonly string[]): string[] => [...argv] };
/** Answers each line with its own request as the result, after a line that is no answer. */
const echo = `echo '{"id":0,"result":"ready"}'
n=0
while read -r line; do
  n=$((n + 1))
  echo "heard it"
  case $line in *fail*) echo "{\\"id\\":$n,\\"error\\":\\"no way\\"}" ;; *) echo "{\\"id\\":$n,\\"result\\":$line}" ;; esac
done`;

Deno.test("a steered program answers what it is asked, and errors are thrown", async () => {
  await using program = new Steered(here, ["sh", "-c", echo]);
  assert.equal(await program.ready, "ready");
  const [first, second] = await Promise.all([program.ask("greet", { name: "Ada" }), program.ask("leave")]);
  assert.deepEqual(first, { name: "Ada", id: 1, do: "greet" });
  assert.deepEqual(second, { id: 2, do: "leave" });
  await assert.rejects(program.ask("fail"), /"fail" fails: no way/);
  assert.match(program.log, /heard it/);
});

Deno.test("a steered program that ends answers no more, and what it wrote is in the error", async () => {
  await using program = new Steered(here, ["sh", "-c", "echo out of ideas >&2"]);
  await assert.rejects(program.ready, /the program ended/);
  assert.match(program.log, /out of ideas/);
});

Deno.test("a steered program that is ended rejects what was asked", async () => {
  const program = new Steered(here, ["sh", "-c", "exec sleep 1000"]);
  const asked = assert.rejects(program.ask("anything"), /"anything" fails: (it was|the program) ended/);
  await program[Symbol.asyncDispose]();
  await asked;
});
