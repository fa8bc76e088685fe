#!/usr/bin/env node
/** Starts `sl`. Plain JavaScript, since the Node that runs it may be too old for anything else. */
import nodeModule from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isNode24, runUnderNode24 } from '../../../bootstrap/node24.js';
import { mainModule } from '../bundle.js';

if (isNode24()) {
  const given = process.env.XDG_CACHE_HOME;
  const cache = given !== undefined && isAbsolute(given) ? given : join(process.env.HOME ?? homedir(), '.cache');
  // Compiled code, types already stripped.
  nodeModule.enableCompileCache(join(cache, 'silverlining', 'compiled'));
  const { endWithOutput, main } = nodeModule.createRequire(import.meta.url)(mainModule());
  endWithOutput();
  process.exitCode = await main(process.argv.slice(2));
} else {
  runUnderNode24([fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
}
