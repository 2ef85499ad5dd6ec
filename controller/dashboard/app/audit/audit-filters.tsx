import type { FormEvent } from 'react';

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
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    for (const { name } of TEXTS) onChange(name, String(form.get(name) ?? '').trim());
    onChange('since', toUtc(String(form.get('since') ?? '')));
  };
  const clear = (): void => {
    for (const name of FILTERS) onChange(name, '');
  };
  return (
    <search>
      <form className="filters" onSubmit={submit} key={JSON.stringify(filters)}>
        {TEXTS.map(({ name, label, placeholder }) => (
          <label key={name}>
            {label}
            <input
              name={name}
              maxLength={256}
              spellCheck={false}
              placeholder={placeholder}
              defaultValue={filters[name]}
            />
          </label>
        ))}
        <label>
          Since
          <input name="since" type="datetime-local" step={1} defaultValue={toLocal(filters.since)} />
        </label>
        <span className="filter-buttons">
          <button type="submit">Filter</button>
          {Object.keys(filters).length > 0 && (
            <button type="button" className="link" onClick={clear}>
              All rows
            </button>
          )}
        </span>
      </form>
    </search>
  );
}

/** What a field of local time holds, as the API takes it; empty when it holds none. */
function toUtc(local: string): string {
  const ms = Date.parse(local);
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString();
}

const MINUTE_MS = 60_000;

/** The other way; empty for what is no time. */
function toLocal(utc = ''): string {
  const ms = Date.parse(utc);
  if (Number.isNaN(ms)) return '';
  return new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE_MS)
    .toISOString()
    .slice(0, 'yyyy-mm-ddThh:mm:ss'.length);
}
