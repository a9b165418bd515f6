import { libtorrent } from "../support/clients/libtorrent.ts";
import { matrix } from "./matrix.ts";

await matrix(libtorrent);
