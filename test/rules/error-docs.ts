/** Reads `docs/errors.md`: one heading of the third level per code, with four labelled paragraphs. */

export interface ErrorDoc {
  readonly code: string;
  readonly scope: string | null;
  readonly retriable: boolean | null;
  /** Text by label: Meaning, Cause, What to do. */
  readonly texts: Readonly<Record<string, string>>;
}

export const ERROR_DOC_LABELS = ['Meaning', 'Cause', 'What to do'] as const;

export function parseErrorDocs(markdown: string): ErrorDoc[] {
  const [, ...sections] = markdown.split(/^### /m);
  return sections.map((section) => {
    const [heading = '', ...rest] = section.split('\n');
    const body = rest.join('\n').split(/^## /m)[0] ?? '';
    const affects = /^\*(row|partition|request|process), (not )?retriable\*$/m.exec(body);
    const texts = Object.fromEntries(
      [...body.matchAll(/^\*\*(.+?)\.\*\*\s+([\s\S]+?)(?=\n\n|\n\*|$(?![\s\S]))/gm)].map(
        (match) => [match[1], match[2]?.trim() ?? ''],
      ),
    );
    return {
      code: heading.trim(),
      scope: affects?.[1] ?? null,
      retriable: affects === null ? null : affects[2] === undefined,
      texts,
    };
  });
}
