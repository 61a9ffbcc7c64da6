// `{{ .key }}` and nothing else: a template language with no surprises and nothing to escape.

const placeholder = /\{\{\s*\.([a-z][a-z0-9-]*)\s*\}\}/g;

/** Replaces every `{{ .key }}` by the value of that Secret key. Throws TemplateError on an unknown key or a stray brace pair. */
export function fillTemplate(text: string, values: Readonly<Record<string, string>>): string {
  const filled = text.replace(placeholder, (_whole, key: string) => {
    const value = Object.hasOwn(values, key) ? values[key] : undefined;
    if (value === undefined)
      throw new TemplateError(`{{ .${key} }} is not a key of the Secret; known are ${Object.keys(values).join(', ')}`);
    return value;
  });
  if (text.replace(placeholder, ' ').includes('{{'))
    throw new TemplateError('only {{ .key }} is replaced in a template; write for example {{ .uri }}');
  return filled;
}

/** Says what is wrong with a template and what to write instead. Never holds a value. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}
