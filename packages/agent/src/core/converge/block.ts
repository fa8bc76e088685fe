/**
 * Where a block of the file has to be, too, as far as that is there: what another program makes the file from. cloud-init, told to
 * `manage_etc_hosts`, does so at each start of a machine.
 */
export function sourcesOf(path: string): string[] {
  return path === '/etc/hosts' ? ['/etc/cloud/templates/hosts.debian.tmpl'] : [];
}

/**
 * The text with the marked block `name` replaced by `content` (removed when that is empty); everything else stays as
 * it is. A new block goes to the end. Blocks of the same name beyond the first are removed.
 */
export function replaceBlock(text: string, name: string, content: string): string {
  const begin = `# BEGIN silverlining ${name}`;
  const end = `# END silverlining ${name}`;
  const block = content === '' ? [] : [begin, ...withoutLastNewline(content).split('\n'), end];
  const kept: string[] = [];
  let placed = false;
  let inside = false;
  for (const line of linesOf(text)) {
    if (!inside && line === begin) {
      inside = true;
      if (!placed) kept.push(...block);
      placed = true;
    } else if (inside) inside = line !== end;
    else kept.push(line);
  }
  if (inside) return withoutBrokenBlock(text, begin, block);
  if (!placed) kept.push(...block);
  return kept.length === 0 ? '' : `${kept.join('\n')}\n`;
}

/** A begin without an end: only that marker is dropped, since nobody knows which of the lines after it were ours. */
function withoutBrokenBlock(text: string, begin: string, block: string[]): string {
  const lines = linesOf(text);
  lines.splice(lines.lastIndexOf(begin), 1);
  return `${[...lines, ...block].join('\n')}\n`;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : withoutLastNewline(text).split('\n');
}

function withoutLastNewline(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}
