/**
 * An error that a user can cause. It names the operation, the rule, the value received and the way out.
 * The command line prints it without a stack trace and exits with `exitCode`.
 */
export class UserError extends Error {
  override name = 'UserError';
  constructor(
    message: string,
    readonly exitCode = 1,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A tensor of the wrong shape reached an op: names the op, the rule and the shape received. */
export class ShapeError extends Error {
  override name = 'ShapeError';
  constructor(op: string, rule: string, received: readonly number[]) {
    super(`${op}: ${rule}; received [${received.join(', ')}]`);
  }
}
