import assert from 'node:assert/strict';
import test from 'node:test';
import { topicName } from '../../../protocol/topics.js';
import { freePort } from '../../support/free-port.js';
import { connectClient, grantsOf, nextMessage, refusalOf } from '../../support/mqtt-clients.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';
import { type MosquittoAccount, mosquittoLacks, startGuardedMosquitto } from './mosquitto.js';

const SCOPE = { prefix: 'muster/v1', org: 'default' };
/** As long as a signed broker password is. */
const LONG = 'x'.repeat(600);
const NODE: MosquittoAccount = { role: 'node', username: 'pump-7', password: LONG, groups: ['west'] };
const CONTROLLER: MosquittoAccount = { role: 'controller', username: 'ctl-a', password: `${LONG}y`, groups: [] };

const credentialOf = ({ username, password }: MosquittoAccount) => ({ clientId: username, username, password });

test('Mosquitto lets in whom its password file names, for what the table of topics gives them', async (t) => {
  const lacks = mosquittoLacks();
  if (lacks !== undefined) return t.skip(lacks);
  const port = await freePort();
  const accounts = [NODE, CONTROLLER];
  const mosquitto = await startGuardedMosquitto({ directory: temporaryDirectory(t), port, scope: SCOPE, accounts });
  t.after(mosquitto.stop);
  const url = `mqtt://127.0.0.1:${port}`;
  const controller = await connectClient(t, url, credentialOf(CONTROLLER));
  assert.deepEqual(await grantsOf(controller, ['muster/v1/default/node/+/result']), [1]);
  const node = await connectClient(t, url, credentialOf(NODE));
  const own = topicName(SCOPE, 'group_request', { group: 'west' });
  assert.deepEqual(await grantsOf(node, [own, 'muster/v1/default/node/+/result']), [1, 1]);

  const heard = nextMessage(controller);
  await node.publishAsync(topicName(SCOPE, 'result', { node: 'pump-8' }), 'forged', { qos: 1 });
  await node.publishAsync(topicName(SCOPE, 'result', { node: 'pump-7' }), 'own', { qos: 1 });
  const asked = nextMessage(node);
  await controller.publishAsync(own, 'asked', { qos: 1 });

  assert.equal((await heard).text, 'own');
  // The node was granted the filter for results, and is handed none of them.
  assert.equal((await asked).text, 'asked');
  assert.equal(await refusalOf(url, { ...credentialOf(NODE), password: 'another' }), 5);
});

test('a password that was renewed is taken once it is in the file', async (t) => {
  const lacks = mosquittoLacks();
  if (lacks !== undefined) return t.skip(lacks);
  const port = await freePort();
  const options = { directory: temporaryDirectory(t), port, scope: SCOPE };
  const mosquitto = await startGuardedMosquitto({ ...options, accounts: [NODE] });
  t.after(mosquitto.stop);
  const url = `mqtt://127.0.0.1:${port}`;
  const renewed = { ...NODE, password: `${LONG}z` };
  assert.equal(await refusalOf(url, credentialOf(renewed)), 5);

  await mosquitto.admit([renewed]);

  const letsIn = async (): Promise<boolean> => {
    try {
      await connectClient(t, url, credentialOf(renewed));
      return true;
    } catch {
      return false;
    }
  };
  await until(letsIn, { what: 'the renewed password is taken' });
});
