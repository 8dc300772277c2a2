import { describe, expect, it } from 'vitest';
import { documentedFiles, grammarOf, renderFormats } from '../scripts/format-docs.ts';
import { read, readProduct } from './rules/repository.ts';

describe('docs/formats.md', async () => {
  const document = await read('docs/formats.md');

  it('shows each grammar as its file has it; `npm run docs` copies them', async () => {
    expect(document).toBe(await renderFormats(document, read));
  });

  it('shows the grammar of every file that begins with one', async () => {
    const withGrammar = (await readProduct())
      .filter(({ text }) => grammarOf(text)?.includes(':='))
      .map(({ path }) => path);
    expect(documentedFiles(document).toSorted()).toEqual(withGrammar.toSorted());
  });
});

describe('the grammar of a file', () => {
  it('is every fenced block of its first comment', () => {
    const source =
      '/**\n * Keys.\n *\n * ```\n * key := a\n *   b\n * ```\n */\n/** ```\n * no\n */';
    expect(grammarOf(source)).toBe('key := a\n  b');
    expect(grammarOf('/** Keys. */')).toBeNull();
  });

  it('replaces what the document showed before', async () => {
    const document = 'A.\n\n[`src/a.ts`](../src/a.ts)\n\n```text\nold\n```\n\nB.\n';
    const rendered = await renderFormats(document, async () => '/**\n * ```\n * new\n * ```\n */');
    expect(rendered).toBe(document.replace('old', 'new'));
  });
});
