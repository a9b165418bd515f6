import assert from "node:assert/strict";
import { python } from "./clients/libtorrent.ts";
import { nat, putBehindNat } from "./nat.ts";
import { namespacesMissing, openNetworkBridge, run, type Site } from "./netns.ts";

const reason = await namespacesMissing() ?? await nat.available();

/** Answers each datagram with the port that it came from, but writes to its sender from another port first. */
const answering = `
import socket
known, stranger = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
known.bind(("0.0.0.0", 9000))
while True:
    _, address = known.recvfrom(100)
    stranger.sendto(b"a stranger", address)
    known.sendto(b"whom port %d asked" % address[1], address)
`;

/** Who is heard first, once the other side is up. */
const asking = (ip: string): string => `
import socket
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.bind(("0.0.0.0", 9001))
asker.settimeout(0.2)
while True:
    asker.sendto(b"?", ("${ip}", 9000))
    try:
        print(asker.recv(100).decode(), end="")
        break
    except TimeoutError: pass
`;

Deno.test({
  name: "a machine behind a router hears whom it wrote to, and nobody else",
  ignore: reason !== undefined,
  async fn(): Promise<void> {
    await using bridge = await openNetworkBridge(4);
    const [answers, hidden, translated, open] = bridge.sites;
    await putBehindNat(hidden);
    await putBehindNat(translated, { udp: { inside: 9001, outside: 40_123 } });
    const [command, ...args] = answers.command([python, "-c", answering]);
    const answerer = new Deno.Command(command, { args }).spawn();
    try {
      const heard = async (site: Site): Promise<string> => {
        const [command, ...args] = site.command([python, "-c", asking(answers.ip)]);
        return (await run(command, ...args)).stdout;
      };
      assert.equal(await heard(hidden), "whom port 9001 asked");
      assert.equal(await heard(translated), "whom port 40123 asked");
      assert.equal(await heard(open), "a stranger");
    } finally {
      answerer.kill("SIGKILL");
      await answerer.status;
    }
  },
});
