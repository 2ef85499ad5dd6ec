import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderSingle } from '../../cli/render/outcome.js';
import { ExecutionView } from '../../controller/http/schemas.js';

const PIPE = { stdout: { write: () => undefined }, env: {} };
const TERMINAL = { stdout: { write: () => undefined, isTTY: true, columns: 40 }, env: { NO_COLOR: '1' } };

const EXECUTION = ExecutionView.parse({
  ...Object.fromEntries(Object.keys(ExecutionView.shape).map((key) => [key, null])),
  execution_id: '0193a000-0000-7000-8000-000000000001',
  invocation_id: '0193a000-0000-7000-8000-000000000002',
  node: 'pump-1',
  status: 'success',
  unreachable: false,
  cancelling: false,
  provisional: false,
  exit_code: 0,
});

/** What is shown of an execution that printed this. */
function shown(text: string, io: typeof PIPE, { isWhole = true } = {}): string {
  const empty = { text: '', bytes: 0, isText: true, isWhole: true, isTruncated: false };
  const stdout = { text, bytes: Buffer.byteLength(text), isText: true, isWhole, isTruncated: false };
  return renderSingle(EXECUTION, { stdout, stderr: empty }, io);
}

test('JSON is laid out on a terminal and left as it came anywhere else', () => {
  const text = '{"ok":true,"disks":[{"directory":"/","used":22}]}\n';

  assert.equal(shown(text, PIPE), `${text}pump-1: success, exit code 0\n`);
  assert.equal(
    shown(text, TERMINAL),
    [
      '{',
      '  "ok": true,',
      '  "disks": [',
      '    { "directory": "/", "used": 22 }',
      '  ]',
      '}',
      'pump-1: success, exit code 0',
      '',
    ].join('\n'),
  );
});

test('what is no JSON, or not all of it, is shown as it came, and no escape reaches the terminal', () => {
  assert.match(shown('plain {text}\n', TERMINAL), /^plain \{text\}\n/);
  assert.match(shown('{"cut":"x', TERMINAL, { isWhole: false }), /^\{"cut":"x\n\[stdout: not all of/);
  assert.ok(!shown('{"a":"\u009b2J\u202e"}', TERMINAL).includes('\u009b'));
});
