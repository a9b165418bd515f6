import { webtorrent } from "../support/clients/webtorrent.ts";
import { matrix } from "./matrix.ts";

await matrix(webtorrent);
