import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({ integrity: z.string().optional(), optionalDependencies: z.record(z.string(), z.string()).optional() }),
  ),
});

const { packages } = Lock.parse(JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')));

test('the lock file names the builds for every platform, without which npm ci refuses it elsewhere', () => {
  for (const [from, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      const places = [`${from}/node_modules/${name}`, `node_modules/${name}`];
      assert.ok(
        places.some((place) => Object.hasOwn(packages, place)),
        `${from} may need ${name}, which is not in the lock file`,
      );
    }
  }
});

test('the lock file holds the hash of every package', () => {
  for (const [path, { integrity }] of Object.entries(packages)) {
    if (path !== '') assert.match(integrity ?? '', /^sha512-/, path);
  }
});
