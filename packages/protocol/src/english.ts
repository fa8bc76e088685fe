/** Loaded for its effect: zod/mini comes without a language, and would say "Invalid input" whatever was wrong. */

import { config } from 'zod/mini';
import en from 'zod/v4/locales/en.js';

config(en());
