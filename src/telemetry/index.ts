export { channels, type RewriteEvent, type TracingFailure } from './channels.ts';
export {
  beginSpan,
  endSpan,
  inSpan,
  runInSpan,
  type Span,
  type SpanAttributes,
  spanChannels,
} from './span.ts';
