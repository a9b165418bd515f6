import { type AnyNode, type BlockStatement, parse } from "acorn";
import { full } from "acorn-walk";

/** What code calls at each turn of a loop and at each beginning of a function. */
export const SAFEPOINT = "__weftSafepoint";

/** Text to put into a source, by place. */
type Insert = readonly [at: number, text: string];

/**
 * Code that calls {@link SAFEPOINT} wherever it could otherwise go on for ever. Lines stay where they are, and code that
 * can't be read stays as it is: if it is wrong, whoever loads it says why.
 */
export function withSafepoints(source: string): string {
  const inserts: Insert[] = [];
  try {
    const tree = parse(source, { ecmaVersion: "latest", sourceType: "module" });
    // Children come before their parents, so that of two ends at one place the inner one is written first.
    full(tree, (node) => inserts.push(...insertsFor(node as AnyNode)));
  } catch {
    return source;
  }
  let text = "";
  let last = 0;
  for (const [at, insert] of inserts.sort(([a], [b]) => a - b)) {
    text += source.slice(last, at) + insert;
    last = at;
  }
  return text + source.slice(last);
}

function insertsFor(node: AnyNode): readonly Insert[] {
  switch (node.type) {
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement":
    case "WhileStatement":
    case "DoWhileStatement":
      if (node.body.type === "BlockStatement") return [atBeginning(node.body)];
      return [[node.body.start, `{${SAFEPOINT}();`], [node.body.end, "}"]];
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      if (node.body.type === "BlockStatement") return [atBeginning(node.body)];
      return [[node.body.start, `(${SAFEPOINT}(),`], [node.body.end, ")"]];
    default:
      return [];
  }
}

/** Behind directives, such as "use strict", which only count as the first statements. */
function atBeginning({ start, body }: BlockStatement): Insert {
  const directive = body.findLast((statement) => "directive" in statement);
  return directive ? [directive.end, `;${SAFEPOINT}();`] : [start + 1, `${SAFEPOINT}();`];
}
