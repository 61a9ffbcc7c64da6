// Tables and paragraphs for a terminal. Pure.

/** Columns as wide as their widest cell, two spaces between; nothing behind the last. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Broken at spaces; a word that is longer than the width stays whole. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && line.length + 1 + word.length > width - indent.length) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines.map((one) => `${indent}${one}`).join('\n');
}

/** `label    text`, wrapped, with the text in one column. */
export function labelled(label: string, text: string, { width = 100, column = 10 } = {}): string {
  const indent = ' '.repeat(column);
  const body = wrap(text, width, indent);
  return label.padEnd(column) + body.slice(column);
}
