import { z } from 'zod';
import type { Api } from './api.js';
import { askFleet, type Fleet } from './fleet.js';
import { percentile } from './statistics.js';
import type { Line } from './table.js';

const NODES = 10_000;
/** The largest page there is. */
const LIMIT = 200;
const GROUP_ROUNDS = 5;
const Page = z.object({ items: z.array(z.unknown()), next_cursor: z.string().nullable() });

/** How long pages of ten thousand nodes and of ten thousand executions take, with nothing else to do. */
export async function measurePages(fleet: Fleet): Promise<Line[]> {
  const { api } = await fleet.of(NODES);
  const { id } = await askFleet(api, NODES);
  const executions = `/api/v1/invocations/${id}/executions`;
  const groups: number[] = [];
  for (let round = 0; round < GROUP_ROUNDS; round += 1) {
    groups.push((await walk(api, `${executions}?group_by=outcome,output`)).total);
  }
  const count = NODES.toLocaleString('en-US');
  return [
    lineOf(`GET /nodes, ${count} of them`, await walk(api, '/api/v1/nodes?')),
    lineOf(`GET …/executions, ${count} of them`, await walk(api, `${executions}?`)),
    {
      what: `GET …/executions?group_by, ${count} of them`,
      figures: `all groups in ${percentile(groups, 0.5).toFixed(0)} ms, median of ${groups.length}`,
    },
  ];
}

type Walk = Readonly<{ pages: readonly number[]; items: number; total: number }>;

/** Reads a list to its end; milliseconds. */
async function walk(api: Api, path: string): Promise<Walk> {
  const pages: number[] = [];
  let items = 0;
  let cursor: string | null = null;
  do {
    const after: string = cursor === null ? '' : `&cursor=${cursor}`;
    const startMs = performance.now();
    const { body } = await api.call('GET', `${path}&limit=${LIMIT}${after}`);
    pages.push(performance.now() - startMs);
    const page = Page.parse(body);
    items += page.items.length;
    cursor = page.next_cursor;
  } while (cursor !== null);
  return { pages, items, total: pages.reduce((sum, ms) => sum + ms, 0) };
}

function lineOf(what: string, { pages, items, total }: Walk): Line {
  if (items !== NODES) throw new Error(`${what}: ${items} came`);
  const page = `page of ${LIMIT}: p50 ${percentile(pages, 0.5).toFixed(1)} ms, p99 ${percentile(pages, 0.99).toFixed(1)} ms`;
  return { what, figures: `${page}; all ${pages.length} pages in ${total.toFixed(0)} ms` };
}
