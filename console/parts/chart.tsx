import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import { useTheme } from '../theme.tsx';
import 'uplot/dist/uPlot.min.css';

export interface ChartProps {
  /** What it shows, in a sentence for those who do not see it. */
  readonly label: string;
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
  readonly format: (value: number) => string;
  /** Whether a value holds until the next one. Default false: a line from one to the other. */
  readonly steps?: boolean;
  /** CSS pixels. */
  readonly height: number;
  /** The last minutes, whatever is known of them. Default false: all times. */
  readonly live?: boolean;
}

/** One series over time, as wide as its place, in the colours of the theme. */
export function Chart(props: ChartProps): VNode {
  const { label, times, values, height } = props;
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot | null>(null);
  const { shown } = useTheme();
  const shape = useRef(props);
  shape.current = props;
  useEffect(() => {
    const element = place.current as HTMLDivElement;
    const made = new UPlot(
      optionsOf(shape.current, element.clientWidth, colorsOf(element, shown)),
      [[...shape.current.times], [...shape.current.values]],
      element,
    );
    chart.current = made;
    const resize = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: shape.current.height }),
    );
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [shown]);
  useEffect(() => chart.current?.setData([[...times], [...values]]), [times, values]);
  return <div ref={place} class="chart" style={{ height }} role="img" aria-label={label} />;
}

/** What a line of nothing but zeros has over it. */
const FLAT_ROOM = 4;
const LIVE_SECONDS = 180;
/** With more values their points would touch. */
const POINTS_SHOWN_MAX = 60;

interface Colors {
  readonly line: string;
  readonly fill: string;
  readonly text: string;
  readonly grid: string;
  readonly font: string;
}

/** `_` the theme: what the styles say depends on it. */
function colorsOf(element: HTMLElement, _: string): Colors {
  const style = getComputedStyle(element);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  return {
    line: of('--accent'),
    fill: of('--accent-soft'),
    text: of('--muted'),
    grid: of('--line'),
    font: `11px ${style.fontFamily}`,
  };
}

function optionsOf(props: ChartProps, width: number, colors: Colors): UPlot.Options {
  const { format, steps = false, height, live = false } = props;
  const { line, fill, text: stroke, grid, font } = colors;
  const axis = { stroke, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    padding: [8, live ? 8 : 34, 0, 0],
    legend: { show: false },
    tzDate: (seconds) => UPlot.tzDate(new Date(seconds * 1_000), 'UTC'),
    cursor: { points: { size: 7 }, drag: { x: !live, y: false } },
    scales: {
      ...(live && { x: { range: (_, __, last) => [last - LIVE_SECONDS, last] } }),
      y: { range: (_, low, high) => rangeOf(low, high) },
    },
    axes: [
      {
        ...axis,
        space: 76,
        size: 26,
        values: (_, splits) => (live ? splits.map(clock) : timeMarks(splits)),
      },
      { ...axis, size: 56, space: 32, values: (_, splits) => splits.map(format) },
    ],
    series: [
      {},
      {
        stroke: line,
        fill,
        width: 1.5,
        spanGaps: false,
        points: { show: !live && props.values.length <= POINTS_SHOWN_MAX },
        ...(steps && UPlot.paths.stepped && { paths: UPlot.paths.stepped({ align: 1 }) }),
      },
    ],
    plugins: [tooltip(format, live)],
  };
}

/** From zero where all is above it, with room over the greatest. */
function rangeOf(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, FLAT_ROOM];
  const from = Math.min(0, low);
  const to = Math.max(0, high);
  const room = (to - from) * 0.1 || FLAT_ROOM;
  return [low < 0 ? from - room : 0, high > 0 || low >= 0 ? to + room : 0];
}

/** What is under the pointer, in a text beside it. */
function tooltip(format: (value: number) => string, live: boolean): UPlot.Plugin {
  const text = document.createElement('div');
  text.className = 'chart-tip';
  return {
    hooks: {
      init: ({ over }) => over.append(text),
      setCursor: ({ cursor: { idx, left = -1 }, data, over }) => {
        const value = idx === null || idx === undefined ? null : data[1]?.[idx];
        text.hidden = value === null || value === undefined || left < 0;
        if (text.hidden) return;
        const seconds = data[0][idx as number] as number;
        text.textContent = `${format(value as number)}  ·  ${live ? clock(seconds) : moment(seconds)}`;
        const isRight = left > over.clientWidth / 2;
        text.classList.toggle('right', isRight);
        text.style.transform = isRight
          ? `translateX(calc(${left - 8}px - 100%))`
          : `translateX(${left + 8}px)`;
      },
    },
  };
}

/** Hours, and the day where it begins; days alone where marks are days apart. */
function timeMarks(splits: readonly number[]): string[] {
  const [first = 0, second = first] = splits;
  const step = second - first;
  return splits.map((seconds) => {
    const iso = new Date(seconds * 1_000).toISOString();
    if (step >= 86_400) return iso.slice(0, 10);
    if (seconds % 86_400 === 0) return iso.slice(5, 10);
    return step < 60 ? iso.slice(11, 19) : iso.slice(11, 16);
  });
}

function clock(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(11, 19);
}

function moment(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 16).replace('T', ' ');
}
