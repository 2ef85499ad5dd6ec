import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Selector } from '../../../../protocol/selectors.js';
import { groupsQuery, nodesQuery } from '../api/queries.js';
import { LABELS_PATTERN, toLabels, toList } from '../parts/lists.js';

const KINDS = ['nodes', 'group', 'labels', 'fleet'] as const;
type Kind = (typeof KINDS)[number];
const NAMES: Readonly<Record<Kind, string>> = {
  nodes: 'nodes by name',
  group: 'a group',
  labels: 'nodes with labels',
  fleet: 'the whole fleet',
};

/** Of whom it is asked. */
export function TargetFields() {
  const [kind, setKind] = useState<Kind>('nodes');
  return (
    <fieldset>
      <legend>Of whom</legend>
      {KINDS.map((each) => (
        <label key={each} className="choice">
          <input type="radio" name="kind" value={each} checked={kind === each} onChange={() => setKind(each)} />
          {NAMES[each]}
        </label>
      ))}
      {kind === 'nodes' && <NodesField />}
      {kind === 'group' && <GroupField />}
      {kind === 'labels' && (
        <label>
          Labels
          <input name="labels" required pattern={LABELS_PATTERN} placeholder="site=north,kind=pump" />
        </label>
      )}
    </fieldset>
  );
}

function NodesField() {
  const [text, setText] = useState('');
  const last = text.split(',').at(-1)?.trim() ?? '';
  const { data } = useInfiniteQuery(nodesQuery({ q: last, limit: '20' }));
  const before = text.slice(0, text.length - last.length);
  return (
    <label>
      Nodes, with commas between
      <input
        name="nodes"
        required
        autoComplete="off"
        list="known-nodes"
        value={text}
        onChange={({ target: { value } }) => setText(value)}
      />
      <datalist id="known-nodes">
        {data?.pages[0]?.items.map(({ node }) => (
          <option key={node} value={`${before}${node}`} />
        ))}
      </datalist>
    </label>
  );
}

function GroupField() {
  const { data } = useQuery(groupsQuery());
  return (
    <label>
      Group
      <select name="group" required>
        {data?.items.map(({ group, nodes }) => (
          <option key={group} value={group}>
            {group} ({nodes})
          </option>
        ))}
      </select>
    </label>
  );
}

/** The selector that the fields say. */
export function readTarget(form: FormData): Selector {
  const text = (name: string): string => String(form.get(name) ?? '');
  switch (form.get('kind')) {
    case 'fleet':
      return { fleet: true };
    case 'group':
      return { group: text('group') };
    case 'labels':
      return { labels: toLabels(text('labels')) };
    default:
      return { nodes: toList(text('nodes')) };
  }
}
