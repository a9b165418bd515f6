/** Asks the filters of plugins who may be a peer (`admitPeers`), and notices when they are others. @module */
import { admitPeers, type AdmitRequest, errorText } from "../../api/mod.ts";
import type { Bus } from "../../bus/mod.ts";
import type { Kernel } from "../kernel.ts";

/** Why a connection ends that a filter does not want. */
export const REFUSED = "refused by a filter";

/**
 * Asks every filter.
 *
 * @returns one flag an address: whether no filter refuses it. All are refused where a filter fails
 */
export async function askFilters(
  { bus, log }: Pick<Kernel, "bus" | "log">,
  request: AdmitRequest,
  signal: AbortSignal,
): Promise<readonly boolean[]> {
  try {
    const answers = await bus.every(admitPeers, request, signal);
    return request.addresses.map((_, i) => answers.every((answer) => answer[i]));
  } catch (error) {
    // The filter that failed is named already.
    log.debug(`No peers admitted from ${request.source}: ${errorText(error)}`);
    return request.addresses.map(() => false);
  }
}

/** The filters of one moment, to tell whether there are others by now. */
export class Filters {
  readonly #bus: Bus;
  #known: readonly object[];

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#known = this.#present;
  }

  /** Which of the filters that are there now are new. Takes those for the known ones. */
  renew(): { readonly added: boolean; readonly changed: boolean } {
    const [before, now] = [this.#known, this.#present];
    this.#known = now;
    const added = now.some((filter) => !before.includes(filter));
    return { added, changed: added || now.length !== before.length };
  }

  get #present(): readonly object[] {
    return this.#bus.table.handlers(admitPeers);
  }
}
