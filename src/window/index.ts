export { StreamClock } from './stream-clock.ts';
