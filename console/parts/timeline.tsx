import type { VNode } from 'preact';
import { formatTimeUs } from '../format.ts';

export interface TimelineRow {
  readonly name: string;
  readonly bars: readonly TimelineBar[];
}

/** A range of event time. */
export interface TimelineBar {
  readonly startUs: number;
  readonly endUs: number;
  readonly title: string;
}

/** What is too short to be seen is drawn this wide, in percent. */
const BAR_WIDTH_MIN = 0.4;

/** Ranges of event time under each other, on one scale from the first to the last. */
export function Timeline({
  label,
  rows,
}: {
  readonly label: string;
  readonly rows: readonly TimelineRow[];
}): VNode {
  const bars = rows.flatMap((row) => row.bars);
  const fromUs = bars.reduce((least, { startUs }) => Math.min(least, startUs), Infinity);
  const toUs = bars.reduce((most, { endUs }) => Math.max(most, endUs), -Infinity);
  const percent = (us: number): number => ((us - fromUs) / Math.max(1, toUs - fromUs)) * 100;
  return (
    <figure class="timeline" aria-label={label}>
      {rows.map(({ name, bars }) => (
        <div class="timeline-row" key={name}>
          <span class="muted">{name}</span>
          <div class="timeline-track">
            {bars.map(({ startUs, endUs, title }) => {
              const width = Math.max(BAR_WIDTH_MIN, percent(endUs) - percent(startUs));
              return (
                <span
                  key={`${startUs} ${title}`}
                  class="timeline-bar"
                  title={`${title}\n${formatTimeUs(startUs)} to ${formatTimeUs(endUs)}`}
                  style={{
                    left: `${Math.min(percent(startUs), 100 - width)}%`,
                    width: `${width}%`,
                  }}
                />
              );
            })}
          </div>
        </div>
      ))}
      <figcaption>
        <span>{formatTimeUs(Math.floor(fromUs / 1e6) * 1e6)}</span>
        <span>{formatTimeUs(Math.floor(toUs / 1e6) * 1e6)}</span>
      </figcaption>
    </figure>
  );
}
