import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createOpenExecutions, type OpenState } from '../../../controller/dispatch/open-executions.js';

const state = fc.constantFrom<OpenState>('held', 'queued', 'sent', 'accepted');
const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), id: fc.nat({ max: 12 }), state }),
  fc.record({ kind: fc.constant('move' as const), id: fc.nat({ max: 12 }), state }),
  fc.record({ kind: fc.constant('remove' as const), id: fc.nat({ max: 12 }), state }),
);

test('each state of a node holds its executions oldest first, and the counts agree, after any steps', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const open = createOpenExecutions();
      const expected = new Map<string, OpenState>();
      for (const { kind, id, state: next } of steps) {
        const executionId = `id-${String(id).padStart(2, '0')}`;
        const known = open.get(executionId, 'pump-1');
        if (kind === 'add') {
          open.add(newExecution(executionId, next));
          if (!expected.has(executionId)) expected.set(executionId, next);
        } else if (known !== undefined && kind === 'move') {
          open.move(known, next);
          expected.set(executionId, next);
        } else if (known !== undefined) {
          open.remove(known);
          expected.delete(executionId);
        }
      }

      const queue = open.of('pump-1');
      for (const each of ['held', 'queued', 'sent', 'accepted'] as const) {
        const ids = [...expected].flatMap(([executionId, at]) => (at === each ? [executionId] : [])).sort();
        assert.deepEqual([...queue[each].keys()], ids);
        assert.equal(open.countByState()[each], ids.length);
      }
      assert.equal(open.countOf('pump-1'), expected.size);
      assert.deepEqual([...open.nodes()], expected.size === 0 ? [] : ['pump-1']);
    }),
  );
});

function newExecution(executionId: string, at: OpenState) {
  return {
    ...{ executionId, node: 'pump-1', invocationId: 'i', expiresAtMs: 0, timeoutMs: 0, checksum: null },
    ...{ state: at, requestSha256: null, offered: false },
  };
}
