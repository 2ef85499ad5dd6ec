import { type FormEvent, useState } from 'react';

/** What the trail may be narrowed to; each that is given has to be met, to the letter. */
export const FILTERS = ['event', 'actor', 'subject', 'since'] as const;
type Name = (typeof FILTERS)[number];
type Filters = Readonly<Partial<Record<Name, string>>>;

const TEXTS = [
  { name: 'event', label: 'Event', placeholder: 'invocation_approved' },
  { name: 'actor', label: 'Actor', placeholder: 'a user, node:pump-7' },
  { name: 'subject', label: 'Subject', placeholder: 'node:pump-7' },
] as const;

/** Fields of a filter, which counts when it is whole: a part of a name meets nothing. */
export function AuditFilters({
  filters,
  onChange,
}: {
  filters: Filters;
  onChange: (name: Name, value: string) => void;
}) {
  const [draft, setDraft] = useDraft(filters);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    for (const { name } of TEXTS) onChange(name, (draft[name] ?? '').trim());
    onChange('since', toUtc(draft.since ?? ''));
  };
  const clear = (): void => {
    for (const name of FILTERS) onChange(name, '');
  };
  return (
    <search>
      <form className="filters" onSubmit={submit}>
        {TEXTS.map(({ name, label, placeholder }) => (
          <label key={name}>
            {label}
            <input
              maxLength={256}
              spellCheck={false}
              placeholder={placeholder}
              value={draft[name] ?? ''}
              onChange={({ target: { value } }) => setDraft(name, value)}
            />
          </label>
        ))}
        <label>
          Since
          <input
            type="datetime-local"
            step={1}
            value={draft.since ?? ''}
            onChange={({ target: { value } }) => setDraft('since', value)}
          />
        </label>
        <span className="filter-buttons">
          <button type="submit">Filter</button>
          <button type="button" className="link" onClick={clear}>
            All rows
          </button>
        </span>
      </form>
    </search>
  );
}

/** What is being written; what the address says whenever that becomes another. */
function useDraft(filters: Filters): [Filters, (name: Name, value: string) => void] {
  const address = JSON.stringify(filters);
  const [draft, setDraft] = useState({ address, values: toDraft(filters) });
  if (draft.address !== address) setDraft({ address, values: toDraft(filters) });
  return [draft.values, (name, value) => setDraft({ address, values: { ...draft.values, [name]: value } })];
}

function toDraft({ since, ...texts }: Filters): Filters {
  return { ...texts, since: toLocal(since) };
}

/** What a field of local time holds, as the API takes it; empty when it holds none. */
function toUtc(local: string): string {
  const ms = Date.parse(local);
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString();
}

const MINUTE_MS = 60_000;
const LOCAL_LENGTH = 'yyyy-mm-ddThh:mm:ss'.length;

/** The other way; empty for what is no time. */
function toLocal(utc = ''): string {
  const ms = Date.parse(utc);
  if (Number.isNaN(ms)) return '';
  return new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, LOCAL_LENGTH);
}
