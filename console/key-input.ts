/** Join keys as a person types them. Pure. */

/** What a form says about a join key of a type. */
export interface KeyInput {
  readonly hint: string;
  readonly inputMode: 'numeric' | 'text';
}

const INPUTS: Readonly<Record<string, KeyInput>> = {
  int32: { hint: 'a whole number', inputMode: 'numeric' },
  int64: { hint: 'a whole number', inputMode: 'numeric' },
  string: { hint: 'text', inputMode: 'text' },
  bool: { hint: 'true or false', inputMode: 'text' },
  bytes: { hint: 'base64', inputMode: 'text' },
  timestamp: { hint: 'as 2025-01-31T12:00:00Z', inputMode: 'text' },
};

export function keyInput(type: string): KeyInput {
  return INPUTS[type] ?? { hint: type, inputMode: 'text' };
}

/** The value to send, or what is wrong with the text. Whole numbers stay text: none loses a digit. */
export function parseKey(
  type: string,
  text: string,
): { readonly value: string | boolean } | { readonly fault: string } {
  const trimmed = type === 'string' ? text : text.trim();
  if (trimmed === '') return { fault: 'a value is needed' };
  if (type === 'bool') {
    if (trimmed !== 'true' && trimmed !== 'false') return { fault: 'true or false' };
    return { value: trimmed === 'true' };
  }
  if (/^int/.test(type) && !/^-?\d+$/.test(trimmed)) return { fault: 'a whole number' };
  return { value: trimmed };
}
