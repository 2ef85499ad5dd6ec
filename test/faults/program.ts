import { fileURLToPath } from 'node:url';

/** The command as we ship it: it runs broker and controller. */
export const PROGRAM = fileURLToPath(new URL('../../bin/muster.js', import.meta.url));
