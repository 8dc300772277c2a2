import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderSettings } from '../../scripts/settings-docs.ts';
import { ROOT } from '../rules/repository.ts';

describe('docs/reference/settings.md', () => {
  it('says what the schema says; `npm run docs` makes it', async () => {
    const reference = await readFile(join(ROOT, 'docs/reference/settings.md'), 'utf8');
    expect(reference).toBe(renderSettings());
  });

  it('has every setting of the file that `freshet init` writes, each with its meaning', async () => {
    const template = await readFile(join(ROOT, 'templates/default/freshet.yaml'), 'utf8');
    const rows = renderSettings().match(/^\| `.*$/gm) ?? [];
    const keys = rows.map((row) => /`([^`]+)`/.exec(row)?.[1]?.split('.').at(-1));
    const written = [...template.matchAll(/^#? {2}(\w+):/gm)].map((match) => match[1]);
    expect(written.length).toBeGreaterThan(20);
    const flat = written.filter((key) => key !== 'compaction');
    expect(keys).toEqual(expect.arrayContaining(flat));
    for (const row of rows) expect(row).toMatch(/\| [^ |][^|]* \|$/);
  });

  it('gives units, bounds and defaults', () => {
    const text = renderSettings();
    expect(text).toContain('| `engine.rowBytesMax` | whole number, bytes | `1048576` |');
    expect(text).toContain('| `log.sessionTimeoutMs` | whole number from 1000, milliseconds |');
    expect(text).toContain('| `server.port` | whole number from 0 to 65535 | `6567` |');
    expect(text).toContain('| `offlineStore.retention.<view>.age` | duration, such as `30d` |');
    expect(text).toContain('| `project` | text | none: it must be there |');
  });
});
