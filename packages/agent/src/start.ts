/** What systemd starts. */
import { runAgent } from './main.ts';

runAgent();
