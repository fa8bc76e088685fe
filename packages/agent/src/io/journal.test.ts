import { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { commands, useCommands } from '../../../../test/fakes/commands.ts';
import { streamJournal } from './journal.ts';

useCommands();

/** What is sent of a journal with these messages. */
async function sentOf(messages: readonly string[]): Promise<string> {
  const unit = 'silver-app-blog.20260131_001.service';
  const lines = messages.map((text) =>
    JSON.stringify({ _SYSTEMD_UNIT: unit, __REALTIME_TIMESTAMP: '1000', MESSAGE: text }),
  );
  await commands.put('journalctl', `cat <<'END'\n${lines.join('\n')}\nEND`);
  let sent = '';
  const write = (piece: Buffer, _encoding: string, done: () => void) => {
    sent += piece;
    done();
  };
  const transfer = new Duplex({ read: () => undefined, write });
  const { signal } = new AbortController();
  await streamJournal({ transfer: '', lines: 9, follow: false }, 'app1', { transfer, signal });
  return sent;
}

it('has lines that an app has written a line or paragraph separator into', async () => {
  const messages = ['a\u2028b', 'c\u2029d', 'e'];
  const sent = await sentOf(messages);
  // A controller of an older version takes these characters for the end of a line.
  expect(sent).not.toMatch(/[\u2028\u2029]/);
  const texts = sent.split('\n').flatMap((line) => (line === '' ? [] : JSON.parse(line).text));
  expect(texts).toEqual(messages);
});
