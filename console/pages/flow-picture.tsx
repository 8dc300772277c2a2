import type { ComponentChildren, VNode } from 'preact';
import type { Overview } from '../answers.ts';
import { formatBytes, formatCompact, formatPlural, formatSpan } from '../format.ts';
import { useLive } from '../live.tsx';
import { Badge } from '../parts/basics.tsx';
import { rateAt } from '../pulse.ts';

/** Topics shown by name; the others are counted. */
const TOPICS_MAX = 4;

/** Where rows come from and where they go, left to right; lines move while rows do. */
export function FlowPicture({ overview }: { readonly overview: Overview }): VNode {
  const { beats } = useLive();
  const { sources, onlineStoreBytes, reads } = overview;
  const rate = rateAt(beats, 'rows') ?? 0;
  const readRate = rateAt(beats, 'reads') ?? 0;
  const sum = (of: (source: (typeof sources)[number]) => number): number =>
    sources.reduce((total, source) => total + of(source), 0);
  const segmentRows = sum(({ segments }) => segments.rows);
  const buffered = sum(({ unsealedRecords }) => unsealedRecords);
  return (
    <section class="flow" aria-label="How rows flow">
      <Topics overview={overview} />
      <Arrow area="a1" moves={rate > 0} label={rate > 0 ? `${formatCompact(rate)}/s` : ''} />
      <EngineBox overview={overview} rate={rate} />
      <Fork moves={rate > 0} />
      <Box area="online" title="Online store" note="newest rows and windows, RocksDB">
        <Line name="size" value={formatBytes(onlineStoreBytes)} />
        <Line name="rows applied" value={formatCompact(sum(({ rows }) => rows))} />
      </Box>
      <Box area="segments" title="Segments" note="every row, Parquet">
        <Line name="rows" value={formatCompact(segmentRows)} />
        <Line
          name={formatPlural(
            sum(({ segments }) => segments.files),
            'file',
          )}
          value={formatBytes(sum(({ segments }) => segments.bytes))}
        />
        {buffered > 0 && <Line name="in the buffer" value={formatCompact(buffered)} />}
      </Box>
      <Arrow area="a2" moves={readRate > 0} label="" />
      <Arrow area="a3" moves={false} label="" />
      <Box area="reads" title="Online reads" note="feature vectors">
        <Line name="reads a second" value={formatCompact(readRate)} />
        <Line
          name="mean"
          value={reads.reads === 0 ? '–' : formatSpan(reads.durationMs / reads.reads)}
        />
      </Box>
      <Box area="joins" title="Training joins" note="point in time">
        <a href="#/checks">Check that both sides agree</a>
      </Box>
    </section>
  );
}

function Topics({ overview: { sources } }: { readonly overview: Overview }): VNode {
  const shown = sources.slice(0, TOPICS_MAX);
  return (
    <Box area="topics" title={sources.length === 1 ? 'Topic' : 'Topics'} note="the log">
      {shown.map(({ topic, lagRecords }) => (
        <Line
          key={topic}
          name={<span class="name">{topic}</span>}
          value={lagRecords === 0 ? 'no lag' : `${formatCompact(lagRecords)} behind`}
          tone={lagRecords === 0 ? 'plain' : 'accent'}
        />
      ))}
      {sources.length > shown.length && (
        <a href="#/topics">and {sources.length - shown.length} more</a>
      )}
    </Box>
  );
}

const ENGINES = {
  running: ['good', 'running'],
  stopped: ['bad', 'stopped'],
  none: ['plain', 'not here'],
} as const;

function EngineBox({
  overview: { engine, sources },
  rate,
}: {
  readonly overview: Overview;
  readonly rate: number;
}): VNode {
  const [tone, text] = ENGINES[engine];
  const sum = (of: (source: (typeof sources)[number]) => number): number =>
    sources.reduce((total, source) => total + of(source), 0);
  const rejected = sum((source) => source.rejected);
  const suspended = sum((source) => source.suspended);
  return (
    <Box
      area="engine"
      title="Engine"
      note="decode, window, one commit"
      aside={<Badge tone={tone}>{text}</Badge>}
    >
      <Line name="rows a second" value={formatCompact(rate)} />
      <Line name="late" value={formatCompact(sum(({ late }) => late))} />
      {suspended > 0 && <Line name="suspended" value={String(suspended)} tone="bad" />}
      <Line
        name={<a href="#/dead-letters">dead letters</a>}
        value={formatCompact(rejected)}
        tone={rejected > 0 ? 'bad' : 'plain'}
      />
    </Box>
  );
}

function Box({
  area,
  title,
  note,
  aside,
  children,
}: {
  readonly area: string;
  readonly title: string;
  readonly note: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}): VNode {
  return (
    <div class={`flow-box ${area}`}>
      <h2>
        {title} {aside}
      </h2>
      <p class="muted">{note}</p>
      <div class="flow-lines">{children}</div>
    </div>
  );
}

function Line({
  name,
  value,
  tone = 'plain',
}: {
  readonly name: ComponentChildren;
  readonly value: string;
  readonly tone?: 'plain' | 'accent' | 'bad';
}): VNode {
  return (
    <p class={`flow-line ${tone}`}>
      <span>{name}</span>
      <b>{value}</b>
    </p>
  );
}

function Arrow({
  area,
  moves,
  label,
}: {
  readonly area: string;
  readonly moves: boolean;
  readonly label: string;
}): VNode {
  return (
    <div class={`flow-arrow ${area} ${moves ? 'moves' : ''}`} aria-hidden="true">
      <span>{label}</span>
    </div>
  );
}

/** From the engine to both stores: one commit. */
function Fork({ moves }: { readonly moves: boolean }): VNode {
  return (
    <div class={`flow-fork ${moves ? 'moves' : ''}`} aria-hidden="true">
      <svg class="across" viewBox="0 0 40 100" preserveAspectRatio="none" role="presentation">
        <path d="M0 50H14C26 50 14 25 26 25H40M0 50H14C26 50 14 75 26 75H40" />
      </svg>
      <svg class="down" viewBox="0 0 100 40" preserveAspectRatio="none" role="presentation">
        <path d="M50 0V12C50 26 25 14 25 28V40M50 0V12C50 26 75 14 75 28V40" />
      </svg>
    </div>
  );
}
