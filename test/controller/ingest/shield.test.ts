import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fit } from '../../../controller/ingest/shield.js';

test('where a text is bounded its end goes, and no mark is cut', () => {
  assert.equal(fit('pw=[redacted]', 13), 'pw=[redacted]');
  assert.equal(fit('long text', 4), 'long');
  assert.equal(fit('pw=[redacted]', 11), 'p[redacted]');
  assert.equal(fit('[redacted]x[redacted]', 15), '[redacted]');
  assert.equal(fit('[redacted][redacted]', 19), '[redacted]');
  for (let max = 10; max < 40; max += 1) {
    const text = fit('a[redacted]bc[redacted][redacted]def', max);
    assert.ok(text.length <= max);
    assert.doesNotMatch(text.replaceAll('[redacted]', ''), /[^abcdef]/, text);
  }
});
