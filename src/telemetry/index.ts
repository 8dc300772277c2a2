export { channels } from './channels.ts';
