import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { startFault } from '../../../../agent/actions/hooks/first-line.js';

test('a script with #!, alone or with arguments, and a program have no fault', () => {
  for (const content of ['#!/bin/sh\n', '#!/bin/sh', '#!/usr/bin/env -S sh -e\nexit 0\r\n', '#!']) {
    assert.equal(startFault(Buffer.from(content)), undefined, JSON.stringify(content));
  }
  assert.equal(startFault(readFileSync(process.execPath).subarray(0, 4096)), undefined);
});

test('CR LF, a byte order mark and a missing #! are told apart', () => {
  assert.match(startFault(Buffer.from('#!/bin/sh\r\nexit 0\r\n')) ?? '', /CR LF/);
  assert.match(startFault(Buffer.from('\ufeff#!/bin/sh\n')) ?? '', /byte order mark/);
  for (const content of ['', '\n#!/bin/sh\n', 'echo hello\n', ' #!/bin/sh\n'])
    assert.match(startFault(Buffer.from(content)) ?? '', /does not begin with #!/, JSON.stringify(content));
});
