import { readFileSync } from 'node:fs';

/** Of this package; `unknown` where its file is not. */
export function packageVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version;
    } catch {
      // One is beside the sources, the other beside what the build made.
    }
  }
  return 'unknown';
}
