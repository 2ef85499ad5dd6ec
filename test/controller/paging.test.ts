import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageOfAll } from '../../controller/paging.js';

const MIB = 1024 * 1024;

test('a page of a whole list ends early when its items are long, has one at least, and the next one goes on', () => {
  const items = [
    { name: 'a', octets: MIB },
    { name: 'b', octets: 2 * MIB },
    { name: 'c', octets: 2 * MIB },
    { name: 'd', octets: 9 * MIB },
    { name: 'e', octets: 0 },
  ];
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = pageOfAll(items, {
      ...{ limit: 50, cursor, shape: /^[a-e]$/ },
      keyOf: ({ name }) => name,
      octetsOf: ({ octets }) => octets,
    });
    pages.push(page.items.map(({ name }) => name));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);

  assert.deepEqual(pages, [['a', 'b'], ['c'], ['d'], ['e']]);
});
