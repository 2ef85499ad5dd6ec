import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { clearAbandoned, ownPrefix } from '../support/abandoned.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('a run clears what killed runs left behind, and nothing that is in use or of somebody else', (t) => {
  const parent = temporaryDirectory(t);
  const { pid } = spawnSync(process.execPath, ['--version']);
  const [numbers = ''] = /[0-9a-f]{4}/.exec(ownPrefix().replace('muster-', '')) ?? [];
  const left = mkdtempSync(join(parent, ownPrefix().replace(`.${process.pid}.`, `.${pid}.`)));
  mkdirSync(join(left, 'controller'));
  writeFileSync(join(left, 'controller', 'muster.db'), 'x');
  const elsewhere = numbers === 'ffff' ? 'fffe' : 'ffff';
  const kept = [
    mkdtempSync(join(parent, ownPrefix())),
    mkdtempSync(join(parent, `muster-${elsewhere}.${pid}.`)),
    mkdtempSync(join(parent, 'muster-')),
    mkdtempSync(join(parent, `others-${numbers}.${pid}.`)),
  ];

  assert.deepEqual(clearAbandoned([parent, join(parent, 'none')]), [left]);

  assert.equal(existsSync(left), false);
  for (const each of kept) assert.ok(existsSync(each), each);
  assert.ok(basename(parent).startsWith(ownPrefix()), 'every place of a test is made so');
});
