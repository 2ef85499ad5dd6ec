import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { escapeOutput } from '../../../../runtime/terminal-text.js';
import type { InvocationView } from '../../../http/schemas.js';
import { Actor } from '../parts/actor.js';
import { Ago } from '../parts/moment.js';
import { RISK_WORDS } from '../parts/words.js';
import { ActionFacts } from './action-facts.js';
import { HIDDEN, parametersOf } from './parameters.js';
import { TargetNodes } from './target-nodes.js';

/** Who asks for what, of whom, why, and what it may do. */
export function AskFacts({ ask }: { ask: InvocationView }) {
  const { risk, reason, created_by, created_at, digest, timeout, batch } = ask;
  return (
    <dl className="ask-facts">
      <Fact name="Asked for by">
        <Actor id={created_by} />, <Ago at={created_at} />
      </Fact>
      <Fact name="Reason">
        {reason === null ? 'none was given' : <span className="lines">{escapeOutput(reason)}</span>}
      </Fact>
      <Fact name="Risk">
        <span className={`risk ${risk}`}>{RISK_WORDS[risk]}</span>
      </Fact>
      <Fact name="Action">
        <ActionFacts ask={ask} />
      </Fact>
      <Fact name="Parameters">
        <ParameterList ask={ask} />
      </Fact>
      <Fact name="On">
        <TargetNodes ask={ask} />
      </Fact>
      <Fact name="Time-out">{timeout}</Fact>
      {batch !== null && (
        <Fact name="Batches">
          {batch.count}
          {batch.pause !== undefined && `, ${batch.pause} apart`}
        </Fact>
      )}
      <Fact name="Digest">
        <code title={digest}>{digest.slice(0, 12)}</code>
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function ParameterList({ ask }: { ask: InvocationView }) {
  const parameters = parametersOf(ask);
  if (parameters.length === 0) return 'none';
  return (
    <ul className="parameters">
      {parameters.map(([name, value]) => (
        <li key={name}>
          <code>
            {name} = {value}
          </code>{' '}
          {value.includes(HIDDEN) && <Link href={`/invocations/${ask.id}`}>look at it</Link>}
        </li>
      ))}
    </ul>
  );
}
