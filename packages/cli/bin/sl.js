#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { runUnderNode24 } from '../../../bootstrap/node24.js';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
runUnderNode24([main, ...process.argv.slice(2)]);
