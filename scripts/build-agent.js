// Builds the agent alone, as one file for a device: node scripts/build-agent.js [FILE]
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildAgent } from './agent-bundle.js';

const file = resolve(process.argv[2] ?? fileURLToPath(new URL('../dist/agent/muster-agent.cjs', import.meta.url)));
await buildAgent(file);
const bytes = readFileSync(file);
const kib = ({ length }) => `${Math.ceil(length / 1024)} KiB`;
process.stdout.write(`${file}\n${kib(bytes)}, compressed ${kib(gzipSync(bytes))}; needs Node 20 and nothing else\n`);
