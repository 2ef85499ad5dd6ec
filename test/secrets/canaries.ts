import { generateKeyPairSync, randomBytes } from 'node:crypto';

/** What is searched for: a secret by the place that it enters at. */
export type Canary = Readonly<{ name: string; value: string }>;

/** A value that stands nowhere else, with characters that each encoding writes in a way of its own. */
function odd(name: string): string {
  return `${name}/"${randomBytes(12).toString('base64')}"+<&>`;
}

/** A value that a header can hold. */
function plain(name: string): string {
  return `${name}-${randomBytes(16).toString('hex')}`;
}

/** Everything that is secret in one run, made anew for it. */
export function makeCanaries() {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  return {
    ...{ onNode: odd('node'), onController: odd('controller'), typed: odd('typed') },
    ...{ storedToken: plain('stored'), nangoSecret: plain('nangos'), nangoToken: plain('nangot') },
    ...{ githubToken: plain('ghs'), webhookSecret: plain('hook'), userPassword: plain('password') },
    githubKey: privateKey,
  };
}
export type Canaries = ReturnType<typeof makeCanaries>;
