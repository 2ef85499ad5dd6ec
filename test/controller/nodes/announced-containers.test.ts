import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containersOf, hidesContainers, namedContainers } from '../../../controller/nodes/announced-containers.js';
import { protectionOf } from '../../../controller/policy/access.js';
import { SHIPPED_POLICY } from '../../../controller/policy/document.js';
import type { Capabilities } from '../../../protocol/messages/capabilities.js';
import { WEB } from '../../support/docker-node.js';

/** The role that it takes to stop a container of a node that announces one container and these limits. */
function roleToStop(container: string, limits: Capabilities['limits']): string | undefined {
  const announced: Capabilities = {
    ...{ v: 1, node: 'docker-1', org: 'default', builtin_actions: [], hooks: [], terminals: [] },
    ...{ containers: [WEB], limits },
  };
  const record = { containers: containersOf(announced), hidesContainers: hidesContainers(announced) };
  const named = namedContainers([record], { container });
  return protectionOf(SHIPPED_POLICY, { action: 'container_stop', risk: 'write' }, named);
}

test('a container that a node has no room to announce counts as protected, and none that it knows does', () => {
  const stranger = 'f'.repeat(64);

  assert.equal(roleToStop(stranger, { containers_left_out: 1 }), 'admin');
  assert.equal(roleToStop('web', { containers_left_out: 1 }), undefined);
  for (const limits of [{}, { containers_left_out: 0 }, { containers_left_out: 'many' }]) {
    assert.equal(roleToStop(stranger, limits), undefined);
  }
});
