/** What systemd starts. With `--try` a new bundle is asked whether it can be loaded at all; being here is the answer. */
import { runAgent } from './main.ts';

if (!process.argv.includes('--try')) runAgent();
