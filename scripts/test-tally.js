// A reporter for node:test that counts, for the last line of npm test; suites and files are not tests.
import { relative } from 'node:path';

export async function* tally(events) {
  const counts = { passed: 0, failed: 0, skips: [], emptyFiles: [] };
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const file = data.file === undefined ? '' : relative(process.cwd(), data.file);
    const isFile = data.nesting === 0 && data.name.endsWith('.test.js');
    if (type === 'test:fail') counts.failed += data.details.type === 'suite' ? 0 : 1;
    else if (data.skip !== undefined) {
      const reason = typeof data.skip === 'string' && data.skip !== '' ? data.skip : 'no reason given';
      counts.skips.push({ title: data.name, file, reason });
    } else if (isFile) counts.emptyFiles.push(sourceOf(data.name));
    else if (data.details.type !== 'suite') counts.passed += 1;
  }
  yield JSON.stringify(counts);
}

function sourceOf(built) {
  return relative(process.env.MUSTER_TEST_BUILT ?? '', built).replace(/js$/, 'ts');
}
