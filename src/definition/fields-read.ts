import { functionText } from './function-text.ts';

const ARROW = /^(?:async )?\(?([A-Za-z_$][\w$]*)\)?=>/;
const DESTRUCTURED = /^\(\{([^{}[\]]*)\}\)=>/;

/**
 * The fields of its row that an arrow function reads, where its text tells all of them: as properties
 * of its parameter, or as parts of it. Null where the row may go elsewhere, and any may be read.
 */
export function fieldsRead(fn: (...args: never[]) => unknown): ReadonlySet<string> | null {
  const text = functionText(fn)
    .replace(/\s+/g, ' ')
    .replace(/ ?([=>(){},:.]) ?/g, '$1');
  const parts = DESTRUCTURED.exec(text)?.[1];
  if (parts !== undefined) {
    if (parts.includes('...') || parts.includes('=')) return null;
    return new Set(parts.split(',').flatMap((part) => part.split(':')[0]?.trim() || []));
  }
  const parameter = ARROW.exec(text)?.[1];
  if (parameter === undefined) return null;
  const body = text.slice(text.indexOf('=>') + 2);
  if (body.includes(`...${parameter}`)) return null;
  const name = parameter.replaceAll('$', '\\$');
  const uses = [...body.matchAll(new RegExp(`(?<![\\w$.])${name}(?![\\w$])`, 'g'))];
  const fields = [
    ...body.matchAll(new RegExp(`(?<![\\w$.])${name}(?:\\?\\.|\\.)([A-Za-z_$][\\w$]*)`, 'g')),
  ];
  if (uses.length !== fields.length) return null;
  return new Set(fields.map(([, field]) => field as string));
}
