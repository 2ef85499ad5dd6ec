import assert from 'node:assert/strict';
import {
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkProof, createNonce, identityOf, makeProof } from '../../../agent/local/proof.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const NAME = '0123456789abcdef0123456789abcdef';
const SOCKET = { dev: 5n, ino: 7n };

test('a proof says which user made it, and works once', (t) => {
  const callers = temporaryDirectory(t);
  const nonce = createNonce();
  const { name } = makeProof(callers, nonce, SOCKET);

  assert.equal(checkProof(callers, name, { nonce, socket: SOCKET }), process.getuid?.());
  assert.equal(checkProof(callers, name, { nonce, socket: SOCKET }), undefined);
  assert.deepEqual(readdirSync(callers), []);
});

test('the owner of the link is who asks, not who reads it', (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can give a link to somebody else');
  const callers = temporaryDirectory(t);
  const nonce = createNonce();
  const { name } = makeProof(callers, nonce, SOCKET);
  lchownSync(join(callers, name), 4711, 4711);

  assert.equal(checkProof(callers, name, { nonce, socket: SOCKET }), 4711);
});

test('a proof for another challenge or another socket proves nothing', (t) => {
  const callers = temporaryDirectory(t);
  const nonce = createNonce();
  for (const [asked, socket] of [
    [createNonce(), SOCKET],
    [nonce, { ...SOCKET, ino: 8n }],
    [nonce, { ...SOCKET, dev: 6n }],
  ] as const) {
    const { name } = makeProof(callers, nonce, SOCKET);
    assert.equal(checkProof(callers, name, { nonce: asked, socket }), undefined);
  }
});

test('what is no link of one name proves nothing, and is never followed', (t) => {
  const callers = temporaryDirectory(t);
  const nonce = createNonce();
  const { name } = makeProof(callers, nonce, SOCKET);
  const text = readlinkSync(join(callers, name));
  const link = join(callers, NAME);
  const makers: readonly (() => void)[] = [
    () => writeFileSync(link, text),
    () => mkdirSync(link),
    () => symlinkSync(join(callers, name), link),
    () => linkSync(join(callers, name), link),
  ];
  for (const make of makers) {
    make();
    assert.equal(checkProof(callers, NAME, { nonce, socket: SOCKET }), undefined);
    if (existsSync(link)) renameSync(link, join(temporaryDirectory(t), 'aside'));
  }
  assert.equal(readlinkSync(join(callers, name)), text, 'what it pointed to is still there');
});

test('a name that leads elsewhere is not looked at', (t) => {
  const directory = temporaryDirectory(t);
  const callers = join(directory, 'callers');
  mkdirSync(callers);
  const nonce = createNonce();
  const { name } = makeProof(directory, nonce, SOCKET);

  for (const asked of [`../${name}`, join(directory, name), '.', '..', '', 'x'.repeat(5000), `${name}\0`]) {
    assert.equal(checkProof(callers, asked, { nonce, socket: SOCKET }), undefined);
  }
  assert.deepEqual(readdirSync(directory).sort(), [name, 'callers'].sort());
});

test('a link in the place of a socket is not the socket', (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'real'), '');
  symlinkSync('real', join(directory, 'link'));

  assert.notDeepEqual(identityOf(join(directory, 'link')), identityOf(join(directory, 'real')));
});
