import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DevicePoll, DeviceSignIn } from '../../../controller/http/sign-in-schemas.js';
import { createDeviceSignIns } from '../../../controller/sign-in/device-sign-ins.js';
import { MusterError } from '../../../protocol/errors.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { auditRows } from '../../support/audit-rows.js';
import { assertProblem } from '../../support/http.js';
import { post, type SignInSite, startSignInSite } from '../../support/sign-in.js';
import { createPassingClock, createTestClock } from '../../support/test-clock.js';

const begin = async (site: SignInSite): Promise<DeviceSignIn> => {
  const answer = await post(site, '/device');
  assert.equal(answer.status, 201, await answer.clone().text());
  return DeviceSignIn.parse(await answer.json());
};
const ask = (site: SignInSite, { device_code }: DeviceSignIn): Promise<Response> =>
  post(site, '/device/poll', { device_code });
const poll = async (site: SignInSite, begun: DeviceSignIn): Promise<DevicePoll> => {
  const answer = await ask(site, begun);
  assert.equal(answer.status, 200, await answer.clone().text());
  return DevicePoll.parse(await answer.json());
};

test('a sign-in that is confirmed elsewhere ends with a token, once, and the provider’s code stays here', async (t) => {
  const clock = createPassingClock();
  const site = await startSignInSite(t, { clock });
  site.provider.script.deviceErrors = ['authorization_pending'];

  const begun = await begin(site);
  const first = await poll(site, begun);
  clock.advance(1_000);
  const second = await poll(site, begun);

  assert.match(begun.device_code, /^[0-9a-f]{64}$/);
  assert.deepEqual([begun.user_code, begun.interval, begun.expires_in], ['WDJB-MJHT', 1, 600]);
  assert.deepEqual(first, { status: 'pending', interval: 1 });
  assert.ok(second.status === 'done');
  assert.match(second.token.token, /^mst_/);
  await assertProblem(await ask(site, begun), 401, 'sign_in_failed');
  assert.deepEqual((await auditRows(site.core.store, 'signed_in'))[0]?.details, { role: 'operator', way: 'device' });
  assert.equal(site.provider.grants[0]?.get('device_code'), 'canary-device-code');
});

test('who polls too early, or is told to slow down, waits longer, and the provider is not asked in between', async (t) => {
  const clock = createPassingClock();
  const site = await startSignInSite(t, { clock });
  site.provider.script.deviceErrors = ['slow_down', 'authorization_pending'];
  const begun = await begin(site);

  assert.deepEqual(await poll(site, begun), { status: 'pending', interval: 6 }); // slow_down
  assert.deepEqual(await poll(site, begun), { status: 'pending', interval: 11 }); // too early
  clock.advance(10_000);
  assert.deepEqual(await poll(site, begun), { status: 'pending', interval: 16 });
  assert.equal(site.provider.grants.length, 1);
  clock.advance(16_000);
  assert.deepEqual(await poll(site, begun), { status: 'pending', interval: 16 });
  clock.advance(16_000);
  assert.equal((await poll(site, begun)).status, 'done');
});

test('a sign-in that is denied or has run out, a code that is unknown, and a person without a role get no token', async (t) => {
  const clock = createPassingClock();
  const site = await startSignInSite(t, { clock });
  const { script } = site.provider;
  for (const [error, expected] of [
    ['access_denied', /denied/],
    ['expired_token', /in time/],
  ] as const) {
    script.deviceErrors = [error];
    const begun = await begin(site);
    assert.match((await assertProblem(await ask(site, begun), 401, 'sign_in_failed')).detail, expected);
    await assertProblem(await ask(site, begun), 401, 'sign_in_failed');
  }
  const begun = await begin(site);
  clock.advance(600_000);
  await assertProblem(await ask(site, begun), 401, 'sign_in_failed');
  for (const device_code of ['0'.repeat(64), 'canary-device-code', 'WDJB-MJHT']) {
    await assertProblem(await post(site, '/device/poll', { device_code }), 401, 'sign_in_failed');
  }
  await assertProblem(await post(site, '/device/poll', { device_code: 'x'.repeat(129) }), 400, 'invalid_request');
  script.person = { sub: 's', groups: [] };
  await assertProblem(await ask(site, await begin(site)), 403, 'forbidden');

  assert.deepEqual(await auditRows(site.core.store, 'token_created'), []);
});

test('a provider that is away for a moment ends no sign-in, and one without such sign-ins is told so', async (t) => {
  const clock = createPassingClock();
  const site = await startSignInSite(t, { clock });
  const { answers } = site.provider.script;
  const begun = await begin(site);
  answers.set('token', { status: 503, text: 'away' });
  await assertProblem(await ask(site, begun), 503, 'sign_in_unavailable');
  answers.delete('token');
  clock.advance(1_000);
  assert.equal((await poll(site, begun)).status, 'done');

  for (const odd of [{ user_code: '\u001b[2J' }, { verification_uri: 'javascript:alert(1)' }, { expires_in: -1 }]) {
    const usual = { device_code: 'x', user_code: 'AB', verification_uri: 'https://a.example/', expires_in: 60 };
    answers.set('device', { json: { ...usual, ...odd } });
    await assertProblem(await post(site, '/device'), 503, 'sign_in_unavailable');
  }
  const other = await startSignInSite(t);
  const { issuer } = other.provider;
  const plain = { issuer, token_endpoint: `${issuer}/token`, authorization_endpoint: `${issuer}/authorize` };
  other.provider.script.answers.set('configuration', { json: plain });
  await assertProblem(await post(other, '/device'), 404, 'not_found');
});

test('sign-ins that wait are bounded, and who has gone gives the place to others', async () => {
  const clock = createPassingClock();
  const begun = {
    ...{ deviceCode: 'x', userCode: 'AB', verificationUri: 'https://a.example/', verificationUriComplete: undefined },
    ...{ lifeSeconds: 900, intervalSeconds: 5 },
  };
  const devices = createDeviceSignIns({
    provider: { startDevice: async () => begun, askDevice: async () => 'pending' },
    clock,
  });
  const waiting = [];
  for (let count = 0; count < 200; count += 1) waiting.push(await devices.start());

  await assertRejectsCode(devices.start(), 'rate_limited');
  clock.advance(60_000);
  const stays = waiting[0]?.device_code ?? '';
  await devices.poll(stays);
  clock.advance(31_000);
  await devices.start();
  assert.deepEqual(await devices.poll(stays), { intervalSeconds: 5 });
  await assertRejectsCode(devices.poll(waiting[1]?.device_code ?? ''), 'sign_in_failed');
});

test('of two polls at once one asks the provider', async () => {
  let asked = 0;
  const devices = createDeviceSignIns({
    provider: {
      startDevice: async () => ({
        ...{ deviceCode: 'x', userCode: 'AB', verificationUri: 'https://a.example/' },
        ...{ verificationUriComplete: undefined, lifeSeconds: 900, intervalSeconds: 5 },
      }),
      askDevice: async () => {
        asked += 1;
        throw new MusterError('sign_in_unavailable', 'away');
      },
    },
    clock: createTestClock(),
  });
  const { device_code: code } = await devices.start();

  const [first, second] = await Promise.allSettled([devices.poll(code), devices.poll(code)]);

  assert.deepEqual([first.status, second.status, asked], ['rejected', 'fulfilled', 1]);
});
