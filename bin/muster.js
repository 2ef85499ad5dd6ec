#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(main)) {
  process.stderr.write('muster: it is not built yet.\n  What to do: npm run build.\n');
  process.exit(78);
}
await import(main.href);
