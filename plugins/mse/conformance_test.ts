import { conformance } from "weft/conformance";
import mse from "./mod.ts";

// The example's policy, "prefer", is proven with the other built-ins.
for (const policy of ["allow", "require"]) conformance({ ...mse, name: `mse, ${policy}` }, { with: { policy } });
conformance({ ...mse, name: "mse, in plaintext" }, { with: { policy: "require", ciphers: ["plaintext"] } });
