import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensureOwnerToken } from '../../controller/identity/api-tokens.js';
import { OWNER, startTestCore } from '../support/core.js';
import { startTestHttp } from '../support/http.js';
import { runMuster } from '../support/muster.js';
import { copyStore } from '../support/put-back.js';
import { startScriptedAgent } from '../support/scripted-agent.js';

test('an owner resumes a controller that was restored, and nobody else does', async (t) => {
  const muster = await startTestCore(t);
  const { services: before } = muster.core;
  const agent = await startScriptedAgent(t, { services: before, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  const owner = (await ensureOwnerToken(muster.store, 'default', Date.now())) ?? '';
  await before.people.createUser(OWNER, { id: 'ada', role: 'admin' });
  const { token: admin } = await before.tokens.create(OWNER, { name: 'cli', user: 'ada' });
  const { putBack } = await copyStore(muster);
  await muster.start();
  for (let count = 0; count < 2; count += 1) await agent.hello();
  await putBack();
  await agent.hello();
  const { url } = await startTestHttp(t, muster.core.services);
  const run = (token: string, ...args: string[]) => runMuster(t, args, { MUSTER_URL: url, MUSTER_TOKEN: token });

  const refused = await run(owner, 'run', 'ping', '--node', 'pump-1');
  assert.equal(refused.exitCode, 69);
  assert.match(refused.stderr, /\[suspended\][\s\S]*muster resume/);
  assert.equal((await run(admin, 'resume')).exitCode, 77);

  const resumed = await run(owner, 'resume');

  assert.equal(resumed.exitCode, 0, resumed.stderr);
  assert.match(
    resumed.stdout,
    /^Resumed\. Nothing was started since \S+Z, when pump-1 knew of more than the store\.\n$/,
  );
  const again = await run(owner, 'resume', '--json');
  assert.deepEqual([again.exitCode, again.stdout], [1, '']);
  assert.match(again.stderr, /\[conflict\]/);
});
