import assert from "node:assert/strict";
import { NetError } from "../../../api/host.ts";
import { DenoListener } from "./listener.ts";

function failing(code: string): { addr: Deno.NetAddr; accept(): Promise<Deno.TcpConn>; close(): void; calls: number } {
  return {
    addr: { transport: "tcp", hostname: "127.0.0.1", port: 6881 },
    calls: 0,
    accept() {
      this.calls++;
      return Promise.reject(Object.assign(new Error(code), { code }));
    },
    close() {},
  };
}

Deno.test({
  name: "accept() waits when descriptors run out, and close() ends the wait",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const source = failing("EMFILE");
    const listener = new DenoListener(source);
    const accepting = assert.rejects(
      listener.accept(),
      (error) => error instanceof NetError && error.fault === "closed",
    );
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    assert.equal(source.calls, 1);
    listener.close();
    await accepting;
  },
});

Deno.test("accept() rejects at once on what waiting does not cure", async () => {
  const listener = new DenoListener(failing("EACCES"));
  await assert.rejects(listener.accept(), (error) => error instanceof NetError && error.fault === "denied");
  listener.close();
});
