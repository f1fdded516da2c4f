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

/** By name, not by class: a module loaded in two ways has two classes. */
export function isUserError(error: unknown): error is UserError {
  return error instanceof Error && error.name === 'UserError';
}

/** A tensor of the wrong shape reached an op: names the op, the rule and the shape received. */
export class ShapeError extends Error {
  override name = 'ShapeError';
  constructor(op: string, rule: string, received: readonly number[]) {
    super(`${op}: ${rule}; received [${received.join(', ')}]`);
  }
}

const WRITING: Record<string, [rule: string, wayOut: string]> = {
  ENOSPC: ['there is no space left on its disk', 'Free some, or write elsewhere'],
  EDQUOT: ['the space allowed to you on its disk is used up', 'Free some, or write elsewhere'],
  EACCES: ['it is not permitted', 'See to the permissions of its folder, or write elsewhere'],
  EPERM: ['it is not permitted', 'See to the permissions of its folder, or write elsewhere'],
  EROFS: ['its disk is read-only', 'Write elsewhere'],
  EISDIR: ['it is a directory', 'Name a file in it'],
  ENOTDIR: ['a file is in the place of its folder', 'Write elsewhere'],
  EEXIST: ['a file is in the place of its folder', 'Write elsewhere'],
  ENOENT: ['its folder is not there and cannot be made', 'Write elsewhere'],
  ENAMETOOLONG: ['its name is too long', 'Choose a shorter one'],
  EFBIG: ['its disk holds no file as large as that', 'Write elsewhere'],
  EMFILE: ['too many files are open', 'Raise the limit (ulimit -n)'],
  EIO: ['the disk failed', 'Write elsewhere'],
};

/** A system error in writing `path`, in words that help; another error as it is. Temporary names are shown as what they stand for. */
export function writeError(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!Object.hasOwn(WRITING, code)) return error;
  const [rule, wayOut] = WRITING[code];
  const meant = path.replace(/(^|[/\\])\.([^/\\]+)\.tmp-\d+(?=[/\\]|$)/g, '$1$2');
  return new UserError(`write ${meant}: ${rule} (${code}). ${wayOut}`, 1, { cause: error });
}
