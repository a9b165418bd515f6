import assert from "node:assert/strict";
import { peerAddress } from "../../wire/mod.ts";
import { Egress } from "../../net/mod.ts";
import { TrackerGrants } from "./grants.ts";

const refused = (egress: Egress, ip: string, port: number): boolean =>
  egress.check(peerAddress(ip, port)) !== undefined;

Deno.test("trackers are let through at the host and port of their URL, and nothing beside them", () => {
  const egress = new Egress({ allow: [] });
  const grants = new TrackerGrants(egress);
  grants.renew([
    "http://127.0.0.1:6969/announce",
    "https://10.0.0.1/announce",
    "http://10.0.0.2/",
    "foo:bar",
    "no url",
  ]);
  const { guard } = grants;
  assert.equal(refused(guard, "127.0.0.1", 6969), false);
  assert.equal(refused(guard, "127.0.0.1", 6970), true);
  assert.equal(refused(guard, "10.0.0.1", 443), false);
  assert.equal(refused(guard, "10.0.0.2", 80), false);
  assert.equal(refused(egress, "127.0.0.1", 6969), true, "others are not");
});

Deno.test("renewed or revoked, those of before are let through no more", () => {
  const egress = new Egress({ allow: [] });
  const grants = new TrackerGrants(egress);
  grants.renew(["http://10.0.0.1:1/", "http://10.0.0.1:1/"]);
  grants.renew(["http://10.0.0.2:2/"]);
  assert.deepEqual([refused(grants.guard, "10.0.0.1", 1), refused(grants.guard, "10.0.0.2", 2)], [true, false]);
  grants.revoke();
  assert.equal(refused(grants.guard, "10.0.0.2", 2), true);
});
