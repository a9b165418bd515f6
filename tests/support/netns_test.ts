import assert from "node:assert/strict";
import { python } from "./clients/libtorrent.ts";
import { listens, namespacesMissing, openNetworkBridge, openNetworkPair, run } from "./netns.ts";

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

Deno.test({
  name: "on a bridge of namespaces each reaches each other over IPv4 and IPv6, and nothing is left behind",
  ignore: reason !== undefined,
  async fn(): Promise<void> {
    const names: string[] = [];
    {
      await using bridge = await openNetworkBridge(3);
      names.push(...bridge.sites.map(({ name }) => name));
      const [first, , third] = bridge.sites;
      for (const ip of [third.ip, third.ip6]) {
        // Nobody listens there, and only a machine that is reached can say so.
        const attempt =
          `import socket\ntry: socket.create_connection(("${ip}", 9), 3)\nexcept ConnectionRefusedError: print("reached")`;
        const [command, ...args] = first.command([python, "-c", attempt]);
        assert.equal((await run(command, ...args)).stdout, "reached\n");
      }
    }
    const { stdout } = await run("ip", "netns", "list");
    for (const name of names) assert.ok(!stdout.includes(name), stdout);
  },
});
