import { writeSync } from 'node:fs';

/** Writes all of it at the position, however much of it the system takes at once. */
export function writeAll(descriptor: number, content: Buffer, position: number): void {
  for (let done = 0; done < content.length; ) {
    done += writeSync(descriptor, content, done, content.length - done, position + done);
  }
}
