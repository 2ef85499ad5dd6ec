import { Component, type ReactNode } from 'react';
import { FailureNote } from './failure-note.js';

type State = Readonly<{ fault?: unknown; isBroken: boolean }>;

/** Keeps a fault of one page, which is ours, from taking the frame around it along. React knows of it in classes alone. */
export class FaultBoundary extends Component<Readonly<{ children: ReactNode }>, State> {
  override readonly state: State = { isBroken: false };

  static getDerivedStateFromError(fault: unknown): State {
    return { fault, isBroken: true };
  }

  override render(): ReactNode {
    return this.state.isBroken ? <FailureNote error={this.state.fault} /> : this.props.children;
  }
}
