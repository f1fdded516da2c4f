/** Runs `body` with environment variables set (or taken away), and puts them back. */
export function withEnvironment(set: Record<string, string | undefined>, body: () => void): void {
  const restore = setEnvironment(set);
  try {
    body();
  } finally {
    restore();
  }
}

/** Sets environment variables, or takes them away; the result puts them back. */
export function setEnvironment(set: Record<string, string | undefined>): () => void {
  const before = Object.keys(set).map((key) => [key, process.env[key]] as const);
  const put = (key: string, value: string | undefined) => {
    if (value === undefined) delete process.env[key];
    else process.env[key] = value;
  };
  for (const [key, value] of Object.entries(set)) put(key, value);
  return () => {
    for (const [key, value] of before) put(key, value);
  };
}

/** What is printed in a suite has no colours, also where the tests run in a terminal. Call it in a `describe`. */
export function withoutColour(): void {
  let restore = () => {};
  before(() => {
    restore = setEnvironment({ FORCE_COLOR: undefined, NO_COLOR: '1' });
  });
  after(() => restore());
}
