import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { endOf, spawnMuster, startTestController } from '../support/muster.js';
import { startSignInSite } from '../support/sign-in.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

test('muster login --sso waits on where it may pass, and ends as what came of it says: denied, away, interrupted', async (t) => {
  const { url, provider } = await startSignInSite(t);
  const { script } = provider;
  const home = temporaryDirectory(t);
  const login = (...args: string[]) => spawnMuster(t, ['login', '--url', url, ...args], { HOME: home }, { cwd: home });

  for (const wrong of [[], ['--sso', '--user', 'ann']]) {
    const { exitCode, stderr } = await endOf(login(...wrong));
    assert.deepEqual([exitCode, stderr.includes('--sso')], [2, true], stderr);
  }
  script.deviceErrors = ['authorization_pending', 'access_denied'];
  const denied = await endOf(login('--sso'));
  assert.deepEqual([denied.exitCode, provider.grants.length], [77, 2], denied.stderr);
  assert.match(denied.stderr, /^Open http:\/\/127\.0\.0\.1:\d+\/confirm and enter the code WDJB-MJHT,\nto sign in/);
  assert.match(denied.stderr, /denied at the provider/);
  assert.doesNotMatch(denied.stderr, /canary/);
  script.answers.set('device', { status: 500, text: 'canary' });
  const away = await endOf(login('--sso'));
  assert.equal(away.exitCode, 69, away.stderr);
  script.answers.delete('device');
  script.deviceErrors = Array.from({ length: 99 }, () => 'authorization_pending');
  const waiting = login('--sso');
  const ended = endOf(waiting);
  const before = provider.asked.length;
  await until(() => provider.asked.slice(before).includes('token'), { what: 'the first poll', deadlineMs: 30_000 });
  waiting.kill('SIGINT');
  assert.equal((await ended).exitCode, 130);
  assert.equal(existsSync(join(home, '.config/muster/cli.json')), false, 'nothing is kept');
});

test('muster login --sso at a controller without a provider says what to set, and what else there is', async (t) => {
  const { url, core } = await startTestController(t);
  const home = temporaryDirectory(t);

  const { exitCode, stderr } = await endOf(
    spawnMuster(t, ['login', '--url', url, '--sso'], { HOME: home }, { cwd: home }),
  );

  assert.deepEqual([exitCode, core.core.services.signIn], [78, undefined], stderr);
  assert.equal(/\[(\w+)\]/.exec(stderr)?.[1], 'sign_in_not_set_up');
  assert.match(stderr, /not set up at this controller \[\w+\]\n {2}What to do: /);
  assert.match(stderr, /muster login --user NAME.*controller\.oidc and controller\.public_url/);
});
