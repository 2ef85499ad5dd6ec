import assert from 'node:assert/strict';
import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Message, message } from '../../../../agent/actions/builtins/message.js';
import { createOutputCapture } from '../../../../agent/actions/output-capture.js';
import type { TestScope } from '../../../support/broker.js';
import { EXITED_0, TOOLS } from '../../../support/builtins.js';
import { findCommand } from '../../../support/commands.js';
import { lacksDesktop, startDesktop } from '../../../support/desktop.js';
import { EXECUTION_ID, writeHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

/** As root the agent shows it to others: daemon and nobody, since a bus wants users with names. Else to whoever runs the test. */
const OWN_UID = process.getuid?.() ?? 0;
const UIDS = OWN_UID === 0 ? [1, 65_534] : [OWN_UID];

const TITLE = `$(id) \`id\` "quoted" 'single' <b>&amp;</b> -- %s ☃`;
const TEXT = `${TITLE}\nC:\\new\\table \\x41 \\\\ ${'ä"'.repeat(50)}\n\ttab`;

function directoryForAll(t: TestScope): string {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755);
  return directory;
}

/** Shows the text to the sessions below this directory, with the real notify-send and these stand-ins. */
async function show(t: TestScope, directory: string, standIns: Readonly<Record<string, string>> = {}) {
  const path = directoryForAll(t);
  symlinkSync(findCommand('notify-send') ?? '', join(path, 'notify-send'));
  for (const [name, script] of Object.entries(standIns)) writeHook(path, name, script);
  const system = { platform: 'linux', name: 'Linux', uid: OWN_UID, isRoot: OWN_UID === 0 } as const;
  const source = { system, program: undefined, env: {}, sessionsDirectory: directory };
  const output = createOutputCapture({ maxBytes: 65_536 });
  const end = await message({ source, limitMs: 20_000, tools: { ...TOOLS, path } }).run({
    ...{ executionId: EXECUTION_ID, timeoutMs: 60_000, signal: new AbortController().signal, output },
    parameters: new Map([
      ['title', TITLE],
      ['text', TEXT],
    ]),
  });
  assert.deepEqual(end, EXITED_0, output.inline('stderr').data);
  return Message.parse(JSON.parse(output.inline('stdout').data));
}

test('F-57, F-92: a real notification service gets title and text as they were asked for, for each who is logged in', async (t) => {
  const lacks = lacksDesktop();
  if (lacks !== undefined) return t.skip(lacks);
  const directory = directoryForAll(t);
  const desktops = await Promise.all(UIDS.map((uid) => startDesktop(t, { directory, uid })));

  const shown = await show(t, directory);

  assert.deepEqual([shown.shown_by, shown.uids.toSorted((a, b) => a - b)], ['notify-send', UIDS]);
  for (const desktop of desktops) {
    const [asked, ...more] = await desktop.asked();
    assert.deepEqual([asked?.app, asked?.title, more.length], ['Muster', TITLE, 0]);
    assert.equal(asMarkupShows(asked?.text ?? ''), TEXT);
  }
});

test('F-58: on a real bus without a notification service notify-send fails, and the next way shows it', async (t) => {
  const lacks = lacksDesktop();
  if (lacks !== undefined) return t.skip(lacks);
  const directory = directoryForAll(t);
  await Promise.all(UIDS.map((uid) => startDesktop(t, { directory, uid, shows: false })));

  const shown = await show(t, directory, { zenity: '#!/bin/sh\nexit 0\n' });

  assert.deepEqual([shown.shown_by, shown.uids.toSorted((a, b) => a - b)], ['zenity', UIDS]);
});

/** A text of a notification is markup; this is what people see of one that has none. */
function asMarkupShows(text: string): string {
  assert.doesNotMatch(text, /[<>]/);
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}
