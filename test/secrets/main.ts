// Puts a secret into every place that one can enter at, and searches for it everywhere: npm run prove:secrets
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildBrokenProgram } from '../faults/broken-program.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { type Proof, proveSecrets } from './prove.js';
import { UNMASKED } from './unmasked.js';

const closes: (() => unknown)[] = [];
const scope = { after: (close: () => unknown) => void closes.unshift(close) };
const print = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  const proof = await proveSecrets(scope);
  tell('as it is shipped', proof);
  const directory = join(temporaryDirectory(scope), 'control');
  mkdirSync(directory);
  const control = await proveSecrets(scope, await buildBrokenProgram(directory, UNMASKED));
  tell('negative control: nothing is masked', control);
  const isClean = proof.hits.every(({ reason }) => reason !== undefined);
  const isSeen = control.hits.some(({ reason }) => reason === undefined);
  print(isClean && isSeen ? 'held: no secret stands where it must not, and the control was found' : 'FAILED');
  process.exitCode = isClean && isSeen ? 0 : 1;
} finally {
  for (const close of closes) await close();
}

function tell(what: string, { canaries, places, octets, hits }: Proof): void {
  const faults = hits.filter(({ reason }) => reason === undefined);
  print(`\n${what}: ${canaries.length} secrets, ${places.length} places, ${octets} bytes, ${faults.length} hits`);
  for (const { canary, place } of faults) print(`  HIT      ${canary.padEnd(16)} ${place}`);
  for (const { canary, place, reason } of hits) {
    if (reason !== undefined) print(`  allowed  ${canary.padEnd(16)} ${place.padEnd(40)} ${reason}`);
  }
}
