import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codesOf } from '../../protocol/errors.js';
import { EXIT, exitCodeOf } from '../../runtime/exit-codes.js';

test('exit codes are those of the command line contract', () => {
  assert.deepEqual(EXIT, { failed: 1, usage: 2, unavailable: 69, notAllowed: 77, configuration: 78, interrupted: 130 });
  for (const code of ['usage', 'invalid_request', 'invalid_parameter', 'missing_required_parameter'] as const)
    assert.equal(exitCodeOf(code), 2, code);
  for (const code of ['unavailable', 'port_in_use', 'already_running', 'deadline_passed', 'not_connected'] as const)
    assert.equal(exitCodeOf(code), 69, code);
  for (const code of ['unauthenticated', 'forbidden', 'denied_by_policy', 'enrollment_failed'] as const)
    assert.equal(exitCodeOf(code), 77, code);
  for (const code of ['config_invalid', 'data_dir_unusable', 'unsafe_key'] as const)
    assert.equal(exitCodeOf(code), 78, code);
  assert.equal(exitCodeOf('internal'), 1);
});

test('every failure of a start has an exit code of its own kind, never 1', () => {
  for (const code of codesOf('startup')) assert.notEqual(exitCodeOf(code), EXIT.failed, code);
});
