import { transmission } from "../support/clients/transmission.ts";
import { matrix } from "./matrix.ts";

await matrix(transmission);
