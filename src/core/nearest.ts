/** Longest text whose edit distance is worked out: names are 128 characters at most, paths a few more. */
const LENGTH_MAX = 256;

/**
 * The known name that a mistyped one most likely means: by edit distance without regard to case, at
 * most a third of the name's letters (but always one or two). Null when nothing is near.
 */
export function nearestName(name: string, known: Iterable<string>): string | null {
  const wanted = name.toLowerCase().slice(0, LENGTH_MAX);
  let nearest: string | null = null;
  let best = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase().slice(0, LENGTH_MAX));
    if (distance < best && distance < Math.max(wanted.length, candidate.length)) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Advice for a message: ` Did you mean "x"?`, or all known names where none is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const names = [...known];
  const nearest = nearestName(name, names);
  if (nearest !== null) return `Did you mean "${nearest}"?`;
  return names.length === 0 ? 'None is known here.' : `Known: ${names.join(', ')}.`;
}

/** Letters inserted, deleted, replaced or swapped with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let distance = Math.min(
        (last[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (last[j - 1] as number) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (beforeLast[j - 2] as number) + 1);
      }
      row.push(distance);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] as number;
}
