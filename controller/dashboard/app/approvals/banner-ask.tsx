import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { escapeText } from '../../../../runtime/terminal-text.js';
import type { InvocationView } from '../../../http/schemas.js';
import { Actor } from '../parts/actor.js';
import { namesAll, placeInWords, RISK_WORDS } from '../parts/words.js';
import { useIsAdmin } from '../session/session.js';
import { Countdown, useIsOver } from './countdown.js';
import { useDecision } from './decisions.js';
import { HIDDEN, parametersOf } from './parameters.js';

/** Parameters, or a reason, that are longer are to be read where all of them stand. */
const SHORT_LENGTH = 160;

/** An ask in a few lines, with what one may say to it at once. */
export function BannerAsk({ ask, aheadMs }: { ask: InvocationView; aheadMs: number }) {
  const { action, risk, created_by, expires_at } = ask;
  const end = { at: expires_at, aheadMs };
  const isOver = useIsOver(end);
  const asked = parametersOf(ask)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  const reason = escapeText(ask.reason ?? 'no reason was given');
  const isWhole =
    asked.length <= SHORT_LENGTH && reason.length <= SHORT_LENGTH && !asked.includes(HIDDEN) && namesAll(ask);
  return (
    <>
      <p>
        <Link href="/approvals">{action}</Link> on {placeInWords(ask)}{' '}
        <span className={`risk ${risk}`}>{RISK_WORDS[risk]}</span> <Countdown end={end} />
        <br />
        asked for by <Actor id={created_by} />: {cut(reason)}
        <br />
        <code>{cut(asked)}</code>
      </p>
      <Answer ask={ask} isOver={isOver} isWhole={isWhole && risk !== 'danger'} />
    </>
  );
}

function cut(text: string): string {
  return text.length <= SHORT_LENGTH ? text : `${text.slice(0, SHORT_LENGTH)} …`;
}

/** For who may approve the two buttons; what is not whole here is approved where it is. */
function Answer({ ask, isOver, isWhole }: { ask: InvocationView; isOver: boolean; isWhole: boolean }) {
  const { mutate: decide, isPending } = useDecision(ask);
  const isSteady = useSteady();
  const mayApprove = useIsAdmin();
  if (!mayApprove) return <span className="answer">waits for an admin or an owner</span>;
  const isOff = isOver || isPending || !isSteady;
  return (
    <span className="answer">
      {isWhole ? (
        <button type="button" className="primary" disabled={isOff} onClick={() => decide({ kind: 'approve' })}>
          Approve
        </button>
      ) : (
        <Link href="/approvals">Look at it to approve it</Link>
      )}
      <button type="button" className="danger" disabled={isOff} onClick={() => decide({ kind: 'deny' })}>
        Deny
      </button>
    </span>
  );
}

const STEADY_MS = 500;

/** False for a moment: a click that was meant for what lay here before must not approve this. */
function useSteady(): boolean {
  const [isSteady, setSteady] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSteady(true), STEADY_MS);
    return () => clearTimeout(timer);
  }, []);
  return isSteady;
}
