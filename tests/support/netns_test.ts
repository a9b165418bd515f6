import assert from "node:assert/strict";
import { listens, namespacesMissing, openNetworkPair, run } from "./netns.ts";

const reason = await namespacesMissing();

Deno.test("listens() finds a listening socket in a table of the kernel, and no other state", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue",
    "   0: 02014D0A:1AE1 00000000:0000 0A 00000000:00000000",
    "   1: 02014D0A:1AE2 03014D0A:C001 01 00000000:00000000",
  ].join("\n");
  assert.equal(listens(table, 6881), true);
  assert.equal(listens(table, 6882), false);
});

Deno.test({
  name: "a pair of namespaces has both addresses, ends what runs in it, and leaves nothing behind",
  ignore: reason !== undefined,
  async fn(): Promise<void> {
    const names: string[] = [];
    let status: Promise<Deno.CommandStatus>;
    {
      await using pair = await openNetworkPair();
      for (const { name, ip } of [pair.left, pair.right]) {
        names.push(name);
        const { stdout } = await run("ip", "-n", name, "-4", "addr");
        assert.ok(stdout.includes(`${ip}/24`), stdout);
      }
      const [command, ...args] = pair.left.command(["sleep", "1000"]);
      status = new Deno.Command(command, { args }).spawn().status;
    }
    assert.equal((await status).signal, "SIGKILL");
    const { stdout } = await run("ip", "netns", "list");
    for (const name of names) assert.ok(!stdout.includes(name), stdout);
  },
});
