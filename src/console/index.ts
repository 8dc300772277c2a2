export { bundleConsole, type ConsoleFile } from './bundle-console.ts';
export { loadConsole } from './load-console.ts';
