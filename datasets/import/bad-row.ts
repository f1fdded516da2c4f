import type { Reason } from './found.js';

/** A row cannot be used; it is put aside and the import goes on. */
export class BadRow extends Error {
  constructor(
    readonly reason: Reason,
    detail: string,
  ) {
    super(detail);
  }
}
