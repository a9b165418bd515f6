import { aria2 } from "../support/clients/aria2.ts";
import { matrix } from "./matrix.ts";

await matrix(aria2);
