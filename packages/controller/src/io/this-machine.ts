import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { ThisMachine } from '../ports.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export function thisMachine(): ThisMachine {
  const addresses = Object.values(networkInterfaces()).flatMap((its = []) => its.map((it) => it.address));
  return { addresses: new Set(addresses), bootId: readFileSync(BOOT_ID, 'utf8').trim() };
}
