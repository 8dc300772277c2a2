import { InvalidArgumentError } from 'commander';
import type { KnownAtOffsets } from '../join/index.ts';

/** `flights-0=100,flights-1=90`: 0 for partitions that are not named. */
export function offsets(text: string): KnownAtOffsets {
  const known: Record<string, number[]> = {};
  for (const part of text.split(',')) {
    const [, topic, partition, offset] = /^(.+)-(\d+)=(\d+)$/.exec(part.trim()) ?? [];
    if (topic === undefined) {
      throw new InvalidArgumentError('Write topic-partition=offset, several behind commas.');
    }
    known[topic] ??= [];
    const places = known[topic] as number[];
    while (places.length < Number(partition)) places.push(0);
    places[Number(partition)] = Number(offset);
  }
  return known;
}
