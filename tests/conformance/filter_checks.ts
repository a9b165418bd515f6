/** What a filter of peers owes. @module */
import { admitPeers, type AdmitRequest, parsePeerAddress } from "../../core/api/mod.ts";
import { sampleId } from "../testing/mod.ts";
import { type Check, expect } from "./check.ts";
import type { Subject } from "./subject.ts";

const READ = "core/api/hooks.ts, admitPeers, and core/api/requests.ts, AdmitRequest";

const ADDRESSES = ["192.0.2.7:6881", "[2001:db8::1]:6881", "10.0.0.1:1", "192.0.2.7:6882"].map(parsePeerAddress);

const REQUESTS: readonly Omit<AdmitRequest, "addresses">[] = [
  { stage: "candidate", id: sampleId, private: false, source: "tracker:tracker.example" },
  { stage: "arrival", private: false, source: "incoming" },
  { stage: "session", id: sampleId, private: true, source: "incoming" },
];

const filters = (subject: Subject): boolean => subject.handles(admitPeers);

/** Checks of what handles `admitPeers`. */
export const filterChecks: readonly Check[] = [
  {
    name: "answers with one flag an address, or nothing, at every stage",
    read: READ,
    applies: filters,
    async run(subject) {
      await using bench = await (await subject.world()).start();
      for (const request of REQUESTS) {
        for (const addresses of [ADDRESSES, ADDRESSES.slice(0, 1), []]) {
          await bench.admit(addresses, request).catch(() => {});
          const [failure] = bench.failures;
          expect(
            failure === undefined,
            `failed when asked about ${addresses.length} addresses at "${request.stage}": ${failure?.message}`,
            'addresses.map(...) to true or false; there is no swarm yet at "arrival"',
          );
        }
      }
    },
  },
  {
    name: "says of an address the same whichever others it is asked with",
    read: READ,
    applies: filters,
    async run(subject) {
      await using bench = await (await subject.world()).start();
      const together = await bench.admit(ADDRESSES);
      for (const [i, address] of ADDRESSES.entries()) {
        const [alone] = await bench.admit([address]);
        expect(
          alone === together[i],
          `said ${together[i]} of ${address.key} among others, and ${alone} of it alone`,
          "the flags in the order of the addresses",
        );
      }
    },
  },
];
