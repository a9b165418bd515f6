/** What one of several asks of something scarce. */
export interface Claim {
  /** What it is given before anyone's need is looked at, as far as it needs that much. Whole, 0 or more. */
  readonly minimum: number;
  /** All that it could use. Whole, 0 or more; Infinity has no end. */
  readonly need: number;
  /** How much of what is left it is given beside others in need: 2 is twice as much as 1. Above 0; 1 if not given. */
  readonly weight?: number;
}

/**
 * Shares out `total` (connections, unchoke slots, bytes per second, buffers): to each its minimum, and when there is
 * not enough for those, one after another in rounds, from `start` on (callers move it so that nobody is always last);
 * then by need, max-min fair by weight: nobody is given more while someone with less still needs some.
 *
 * The answer is whole numbers in the order of the claims. Nobody gets more than its need, and all of `total` is given
 * while there is need for it. `total` Infinity gives each its need.
 */
export function fairShare(total: number, claims: readonly Claim[], start = 0): number[] {
  if (total === Infinity) return claims.map((claim) => claim.need);
  const left = Math.max(0, Math.floor(total));
  const floors = claims.map((claim) => Math.min(claim.minimum, claim.need));
  const reserved = sum(floors);
  if (reserved >= left) return fill(left, floors, claims.map(() => 0), claims.map(() => 1), start);
  return fill(left, claims.map((claim) => claim.need), floors, claims.map((claim) => claim.weight ?? 1), start);
}

/**
 * Raises everyone from its floor towards its cap, the lowest for their weight first, as water fills a vessel of
 * unequal steps: each share is the water's level times its weight, held between floor and cap.
 */
function fill(total: number, caps: number[], floors: number[], weights: number[], start: number): number[] {
  const at = (level: number) => floors.map((floor, i) => Math.min(caps[i], Math.max(floor, level * weights[i])));
  if (sum(caps) <= total) return [...caps];

  // Between two of these levels, in which someone starts to rise or is full, the sum grows in a straight line.
  const levels = [...floors, ...caps].map((bound, i) => bound / weights[i % weights.length])
    .filter((level) => level < Infinity).sort((a, b) => a - b);
  let above = 0;
  for (let end = levels.length; above < end;) {
    const middle = above + end >> 1;
    if (sum(at(levels[middle])) > total) end = middle;
    else above = middle + 1;
  }
  const below = above > 0 ? levels[above - 1] : 0;
  const between = above < levels.length ? (below + levels[above]) / 2 : below + 1;
  const rising = weights.map((weight, i) => floors[i] < between * weight && between * weight < caps[i] ? weight : 0);
  const slope = sum(rising);
  const level = below + (total - sum(at(below))) / slope;

  const shares = at(level).map(Math.floor);
  // What rounding left over: one each, to the lowest for their weight.
  const order = shares.map((_, i) => (i + start) % shares.length)
    .sort((a, b) => (shares[a] + 1) / weights[a] - (shares[b] + 1) / weights[b]);
  let left = total - sum(shares);
  for (const i of order) {
    if (left <= 0) break;
    if (shares[i] >= caps[i]) continue;
    shares[i]++;
    left--;
  }
  return shares;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}
