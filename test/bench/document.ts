/** Writes the first part of `docs/benchmarks.md` from what was measured last. */
import { readFile, writeFile } from 'node:fs/promises';
import { goalRows } from './goals.ts';
import type { Part } from './results.ts';
import { partTables } from './table.ts';

const HOW = `
### How it is measured

- All tools deploy the same files to the same nodes, one after the other, in turns whose order rotates. The nodes are local
  ones: containers with Debian, systemd, sshd and Apache on one machine, which tools and nodes share. So a tool that leaves work
  to the nodes, or does it on the workstation, pays for it in the same currency. Their disks, and the apps on the workstation, are on one ext4
  file system in a file, made anew for each run.
- **full upload**: no node has any of the files. **nothing changed**: the same command again; the other tools make one more
  release. **changed**: one file of 9.2 kB, or 1 MB in the middle of 500 MB. **rollback**: to the release before.
- Three fifths of the files of the small and the medium app are text that compresses about 3 to 1; the rest, and the large file, cannot be compressed.
- Time is that of the whole command, from its start to its end, with all nodes switched. Before each one the disk is synced and the
  machine is let come to rest.
- After each one every file on every node is compared by digest, and each node is asked over HTTP for what changed. A
  wrong answer ends the run.
- **defaults**: the same tool as it is when it was just installed. Without that word it is configured as its documents recommend for speed.
- A warm-up comes first. Of the ways to run a tool that are named below its figures the quickest was chosen (\`--tune\` tries them all anew).
  SSH connections are open already where a tool can keep them.
- **on disk**: from the start of the command until a \`sync\` after it has ended. Silver Lining waits for the disk of each node before it switches, the other
  tools leave it to the kernel.
- **to nodes**, **from nodes**: the counters of the nodes' network interfaces, all nodes together.
- **CPU tool**: all processes of the tool on the workstation, by control group; for Silver Lining that is \`sl\` and the controller.
  **CPU nodes**: all processes of all nodes, by control group. Both go on until the machine is at rest again, so that what is done after the
  command is counted (Silver Lining stops old instances and removes old releases ten seconds later; the other tools' old releases are removed outside of the figures).
- **memory tool**: resident memory of all processes of the tool together, the largest of samples taken every 100 ms. **memory
  agent**: the most that any node's agent had resident, as the kernel recorded it.
- Not alike: Silver Lining checks every file against its SHA-256 sum on the node, writes all of it through to the disk before it switches, starts and
  health-checks the release, and switches by a durable decision. The other tools do none of this.

### Run it again

\`\`\`sh
npm run bench                                          # all of it: an hour or more on two cores
npm run bench -- --apps medium --runs 5                # a part
npm run bench -- --nodes 3 --apps small --runs 1       # a try; its figures are printed and not kept
\`\`\`

It needs root on Debian or Ubuntu, installs what is missing (Ansible, Capistrano, rsync, Git, and what local nodes need), keeps its files in
\`/var/tmp/silverlining-bench\`, and removes its nodes at the end, also after Ctrl-C.
`;

export interface DocumentInput {
  machine: readonly string[];
  part: Part;
}

/** What follows this line in the document is left as it is. */
const END = '<!-- `npm run bench` writes what is above this line. -->\n';
/** Headings of what is no part. */
const OTHERS = new Set(['Goals', 'On what', 'How it is measured', 'Run it again']);

/** Puts the part into the document; other parts stay as they were measured, here or elsewhere. */
export async function writeDocument(file: string, input: DocumentInput): Promise<void> {
  const before = await readFile(file, 'utf8');
  const end = before.indexOf(END);
  if (end === -1) throw new Error(`${file} has lost the line ${END}`);
  await writeFile(file, `${documentText(before.slice(0, end), input)}\n${before.slice(end)}`);
}

/** The first part of the document, after what it was before. */
export function documentText(before: string, { machine, part }: DocumentInput): string {
  const parts = partsIn(before).set(part.title, `### ${partText(part)}\n`);
  const lines = [
    '# Benchmarks',
    '',
    '## Deploys',
    '',
    'Silver Lining beside rsync, Capistrano and Ansible, on the same nodes, with the same files. Medians (in brackets the quickest and',
    'the slowest run); `2.0x` means that it took twice as long as Silver Lining.',
    '',
    '### Goals',
    '',
    ...goalRows(part, before),
    '',
    ...parts.values(),
    '### On what',
    '',
    'The part that was measured last; each part says what its machine was.',
    '',
    ...machine.map((line) => `- ${line}`),
  ];
  return `${lines.join('\n')}\n${HOW}`;
}

/** Texts of parts by their titles, which headings have with the number of nodes. */
function partsIn(document: string): Map<string, string> {
  const sections = document.split(/^### /m).slice(1);
  const parts = sections.map((text): [string, string] => [text.split('\n', 1)[0] ?? '', `### ${text.trim()}\n`]);
  return new Map(
    parts
      .filter(([heading]) => !OTHERS.has(heading))
      .map(([heading, text]) => [heading.replace(/, \d+ nodes$/, ''), text]),
  );
}

/** As printed at the end of a part. */
export function partText(part: Part): string {
  return [headingOf(part), '', ...partTables(part), '', ...notesOf(part)].join('\n');
}

function headingOf({ title, nodes }: Part): string {
  return `${title}, ${nodes} nodes`;
}

function notesOf({ runs, date, commit, machine, load, tools }: Part): string[] {
  return [
    `${runs} run${runs === 1 ? '' : 's'} on ${date}, commit ${commit}, on ${machine}, load average ${load.toFixed(1)} at the start.`,
    '',
    ...tools.map(({ title, how }) => `- ${title}: ${how}`),
  ];
}
