import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { escapeOutput, escapeText } from '../../../../runtime/terminal-text.js';
import type { InvocationView } from '../../../http/schemas.js';
import { placeInWords, RISK_WORDS } from '../parts/words.js';
import { Asker } from './who.js';

/** What was asked, of whom, by whom and why. */
export function InvocationFacts({ invocation }: { invocation: InvocationView }) {
  const { target, nodes, parameters, risk, reason, error, error_code, timeout, digest, batch, origin, id } = invocation;
  return (
    <section className="card" aria-labelledby="asked">
      <h2 id="asked">What was asked</h2>
      <dl className="pairs">
        <Fact name="Target">
          <Target target={target} nodes={nodes} />
        </Fact>
        <Fact name="Risk">{RISK_WORDS[risk]}</Fact>
        <Fact name="Parameters">
          <Parameters parameters={parameters} />
        </Fact>
        {reason !== null && (
          <Fact name="Reason">
            <bdi>{escapeText(reason)}</bdi>
          </Fact>
        )}
        <Fact name="Asked by">
          <Asker id={invocation.created_by} />
        </Fact>
        {origin === 'local' && <Fact name="Origin">on the node itself, without the controller</Fact>}
        {error !== null && (
          <Fact name="Error">
            <bdi className="error-text">{escapeText(error)}</bdi> {error_code !== null && <code>{error_code}</code>}
          </Fact>
        )}
        {batch !== null && <Fact name="Batches">{batchesInWords(batch)}</Fact>}
        <Fact name="Time-out">{timeout} on each node</Fact>
        <Fact name="Digest">
          <code>{digest}</code>
        </Fact>
        <Fact name="Id">
          <code>{id}</code>
        </Fact>
      </dl>
    </section>
  );
}

/** A term of a list of facts and what there is to say of it. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Target({ target, nodes }: Pick<InvocationView, 'target' | 'nodes'>) {
  if ('nodes' in target && target.nodes.length === 1) {
    return <Link href={`/nodes/${target.nodes[0]}`}>{target.nodes[0]}</Link>;
  }
  return placeInWords({ target, nodes });
}

function Parameters({ parameters }: Pick<InvocationView, 'parameters'>) {
  const entries = Object.entries(parameters);
  if (entries.length === 0) return <>none</>;
  return (
    <dl className="values">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>
            <bdi>{name}</bdi>
          </dt>
          <dd>
            <pre>{valueInWords(value)}</pre>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Texts as they are, everything else as JSON; what cannot be seen in them is spelled out. */
function valueInWords(value: unknown): string {
  return escapeOutput(typeof value === 'string' ? value : JSON.stringify(value, undefined, 2));
}

function batchesInWords({ count, begun, size, pause, stopped_at }: NonNullable<InvocationView['batch']>): string {
  const parts = [
    `${begun} of ${count} begun`,
    `${size} nodes at a time`,
    pause === undefined ? '' : `${pause} between them`,
    stopped_at === null ? '' : 'stopped: too many failed, or the policy is against the next one',
  ];
  return parts.filter((part) => part !== '').join(', ');
}
