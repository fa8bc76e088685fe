/** The controller's daemon as `sl` starts it: `node start.ts daemon`. */
import { runController } from './main.ts';

await runController();
