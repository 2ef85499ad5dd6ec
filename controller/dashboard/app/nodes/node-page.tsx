import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useParams } from 'wouter';
import { nodeQuery } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { Status } from '../parts/status.js';
import { RunDialog, type Wish } from '../run/run-dialog.js';
import { useMayAsk } from '../session/session.js';
import { ActionsDialog } from './actions-dialog.js';
import { Containers } from './containers.js';
import { Hooks } from './hooks.js';
import { Manage } from './manage.js';
import { NodeFacts } from './node-facts.js';
import { Offers } from './offers.js';
import { Recent } from './recent.js';

/** One node: what it is, what it offers, and what was asked of it. */
export function NodePage() {
  const { node = '' } = useParams();
  const { data, error } = useQuery(nodeQuery(node));
  const [wish, setWish] = useState<Wish>();
  const [isActing, setActing] = useState(false);
  const mayAsk = useMayAsk();
  if (data === undefined && error !== null) return <FailureNote error={error} />;
  if (data === undefined) return <p className="waiting">Loading …</p>;
  const onRun = mayAsk ? setWish : undefined;
  return (
    <>
      <header className="page-head">
        <h1>{data.node}</h1>
        <Status of={data.state} />
        {mayAsk && (
          <span className="page-actions">
            <Manage node={data} />
            <button type="button" title="Send message or command" onClick={() => setActing(true)}>
              📨 Actions
            </button>
            <button type="button" className="primary" onClick={() => setWish({})}>
              Run an action …
            </button>
          </span>
        )}
      </header>
      {error !== null && <FailureNote error={error} />}
      <NodeFacts of={data} />
      <div className="columns">
        <Recent node={node} />
        <Offers node={node} onRun={onRun} />
        <Hooks hooks={data.hook_checksums} />
        <Containers containers={data.containers} onRun={onRun} />
      </div>
      {isActing && <ActionsDialog node={node} onClose={() => setActing(false)} />}
      {wish !== undefined && <RunDialog target={{ nodes: [node] }} wish={wish} onClose={() => setWish(undefined)} />}
    </>
  );
}
