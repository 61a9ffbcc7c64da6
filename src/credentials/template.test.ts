import { expect, test } from 'vitest';
import { fillTemplate, TemplateError } from './template.ts';

const values = { uri: 'postgresql://u:p@h/db', host: 'h', 'jdbc-uri': 'jdbc:x' };

test.each([
  ['a key is replaced', '{{ .uri }}', 'postgresql://u:p@h/db'],
  ['spaces are free', '{{.host}}:{{   .host   }}', 'h:h'],
  ['keys may have dashes', '{{ .jdbc-uri }}', 'jdbc:x'],
  ['other text stays', 'a } b { c $1 \\', 'a } b { c $1 \\'],
  ['braces may stand around it', '{{{ .host }}{', '{h{'],
  ['nothing is replaced twice', '{{ .host }}{ .host }', 'h{ .host }'],
])('%s', (_sentence, text, expected) => expect(fillTemplate(text, values)).toBe(expected));

test.each([
  ['an unknown key', '{{ .passwrod }}', /passwrod.*known are uri, host/],
  ['a name that every object has', '{{ .constructor }}', /constructor.*known are uri, host/],
  ['a function call', '{{ .uri | b64enc }}', /only \{\{ \.key \}\}/],
  ['an unclosed pair', '{{ .uri', /only \{\{ \.key \}\}/],
])('%s is refused with a sentence', (_sentence, text, message) => {
  expect(() => fillTemplate(text, values)).toThrow(TemplateError);
  expect(() => fillTemplate(text, values)).toThrow(message);
  expect(() => fillTemplate(text, values)).toThrow(expect.objectContaining({ name: 'TemplateError' }));
});
