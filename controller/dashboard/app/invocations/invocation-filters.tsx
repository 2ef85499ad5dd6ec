import { useQuery } from '@tanstack/react-query';
import { type FocusEvent, type KeyboardEvent, useId } from 'react';
import { INVOCATION_STATUSES } from '../../../http/statuses.js';
import { actionsQuery } from '../api/queries.js';

const DAY_MS = 86_400_000;

type Name = 'status' | 'action' | 'node' | 'since';
type Change = (name: Name, value: string) => void;

/** By what the list is narrowed; all of it stands in the address. */
export function InvocationFilters({
  filters,
  onChange,
}: {
  filters: Readonly<Partial<Record<Name, string>>>;
  onChange: Change;
}) {
  const { data: actions = [] } = useQuery(actionsQuery());
  return (
    <search className="filters">
      <StatusFilter picked={(filters.status ?? '').split(',').filter((each) => each !== '')} onChange={onChange} />
      <WordFilter name="action" label="Action" value={filters.action ?? ''} words={actions} onChange={onChange} />
      <WordFilter name="node" label="Node" value={filters.node ?? ''} onChange={onChange} />
      <label>
        Since
        <select value={filters.since ?? ''} onChange={({ target }) => onChange('since', target.value)}>
          <option value="">ever</option>
          <option value="today">today</option>
          <option value="24h">24 hours ago</option>
          <option value="7d">7 days ago</option>
        </select>
      </label>
    </search>
  );
}

/** The moment that a word of the address stands for; undefined: ever. */
export function sinceTime(word: string, now: Date): string | undefined {
  if (word === 'today') return new Date(now.getFullYear(), now.getMonth(), now.getDate()).toISOString();
  const days = { '24h': 1, '7d': 7 }[word];
  return days === undefined ? undefined : new Date(now.getTime() - days * DAY_MS).toISOString();
}

function StatusFilter({ picked, onChange }: { picked: readonly string[]; onChange: Change }) {
  const toggle = (status: string): void => {
    const after = INVOCATION_STATUSES.filter((each) => (each === status) !== picked.includes(each));
    onChange('status', after.join(','));
  };
  return (
    <fieldset className="toggles">
      <legend>Status</legend>
      {INVOCATION_STATUSES.map((status) => (
        <button key={status} type="button" aria-pressed={picked.includes(status)} onClick={() => toggle(status)}>
          {status}
        </button>
      ))}
    </fieldset>
  );
}

/** A whole word: it counts when one leaves the field or presses Enter, not with each letter. */
function WordFilter({
  name,
  label,
  value,
  words = [],
  onChange,
}: {
  name: Name;
  label: string;
  value: string;
  words?: readonly Readonly<{ name: string }>[];
  onChange: Change;
}) {
  const listId = useId();
  const take = ({ currentTarget }: FocusEvent<HTMLInputElement> | KeyboardEvent<HTMLInputElement>): void => {
    const word = currentTarget.value.trim();
    if (word !== value) onChange(name, word);
  };
  return (
    <label>
      {label}
      <input
        key={value}
        list={listId}
        placeholder="all"
        maxLength={64}
        defaultValue={value}
        onBlur={take}
        onKeyDown={(event) => event.key === 'Enter' && take(event)}
      />
      <datalist id={listId}>
        {words.map((word) => (
          <option key={word.name} value={word.name} />
        ))}
      </datalist>
    </label>
  );
}
