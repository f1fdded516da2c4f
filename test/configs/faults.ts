import assert from 'node:assert/strict';
import { UserError } from '../../util/errors.js';

/** The lines of what `parse` says is wrong; none where nothing is. */
export function faultsOf(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error.message.split('\n').slice(1);
  }
  return [];
}
