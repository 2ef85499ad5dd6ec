import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { describeSelector } from '../../../../protocol/describe-selector.js';
import type { Selector } from '../../../../protocol/selectors.js';
import { escapeText } from '../../../../runtime/terminal-text.js';
import type { ActionView } from '../../../http/schemas.js';
import type { Ask } from '../api/ask.js';
import { actionsQuery } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { countNodes, RISK_WORDS } from '../parts/words.js';
import { ParameterFields, readParameters } from './parameter-fields.js';
import type { Wish } from './run-dialog.js';
import { readTarget, TargetFields } from './target-fields.js';

/** Of so many nodes a person may look at what they print while they print it; of more it comes with their results. */
const MOST_STREAMS = 8;

/** What is wanted: of whom, which action, with which parameters. */
export function RunForm({
  target,
  wish: { action: first = '', parameters: presets = {} },
  isBusy,
  onDone,
}: {
  target: Selector | undefined;
  wish: Wish;
  isBusy: boolean;
  onDone: (ask: Ask) => void;
}) {
  const { data: actions, error } = useQuery(actionsQuery(onlyNodeOf(target)));
  const [picked, setPicked] = useState(first);
  const name = picked === '' ? (actions?.[0]?.name ?? '') : picked;
  const action = actions?.find((each) => each.name === name);
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const whom = target ?? readTarget(form);
    onDone({
      action: name,
      target: whom,
      stream: 'nodes' in whom && whom.nodes.length <= MOST_STREAMS,
      parameters: readParameters(form, action?.parameters ?? []),
      ...textOf(form, 'reason'),
      ...textOf(form, 'timeout'),
      ...textOf(form, 'expires_in'),
    });
  };
  if (actions === undefined && error !== null) return <FailureNote error={error} />;
  return (
    <form onSubmit={submit}>
      {target === undefined ? <TargetFields /> : <p>On {describeSelector(target)}.</p>}
      <label>
        Action
        <select value={name} onChange={({ target: { value } }) => setPicked(value)}>
          {actions?.map((each) => (
            <option key={`${each.kind} ${each.name}`} value={each.name}>
              {inWords(each)}
            </option>
          ))}
        </select>
      </label>
      {action !== undefined && <p className="hint">{escapeText(action.description)}</p>}
      <ParameterFields key={name} specs={action?.parameters ?? []} presets={name === first ? presets : {}} />
      <label>
        Reason
        <input name="reason" maxLength={1024} placeholder="for whoever approves it, and for the audit trail" />
      </label>
      <details>
        <summary>Times</summary>
        <label>
          How long it may run on a node
          <input name="timeout" placeholder={action?.timeout ?? 'as its definition says, such as 30s'} />
        </label>
        <label>
          How long it may wait for a node
          <input name="expires_in" placeholder="24h" />
        </label>
      </details>
      <footer>
        <button type="submit" className="primary" disabled={isBusy || name === ''}>
          See what it comes to
        </button>
      </footer>
    </form>
  );
}

function inWords({ name, kind, risk, nodes }: ActionView): string {
  return `${name} (${kind === 'hook' ? 'hook, ' : ''}${RISK_WORDS[risk]}, ${countNodes(nodes.length)})`;
}

/** Of one node only what it offers is to be chosen from. */
function onlyNodeOf(target: Selector | undefined): string | undefined {
  return target !== undefined && 'nodes' in target && target.nodes.length === 1 ? target.nodes[0] : undefined;
}

/** A field as a property; nothing when it is empty. */
function textOf(form: FormData, name: 'reason' | 'timeout' | 'expires_in'): Partial<Ask> {
  const value = String(form.get(name) ?? '').trim();
  return value === '' ? {} : { [name]: value };
}
