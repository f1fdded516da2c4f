import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { type MessageInput, messageInput } from '../../cli/messages.js';

interface Terminal {
  input: MessageInput;
  type(text: string): void;
  /** What was printed since the last time. */
  shown(): string;
}

/** Streams as a terminal has them, or as a pipe. */
async function withInput(
  isTTY: boolean,
  body: (terminal: Terminal) => Promise<void>,
  signal = new AbortController().signal,
): Promise<void> {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  if (isTTY) for (const stream of [stdin, stdout]) Object.assign(stream, { isTTY, columns: 80, setRawMode: () => stream });
  const input = messageInput(signal, { stdin, stdout });
  assert.equal(input.interactive, isTTY);
  try {
    await body({ input, type: (text) => void stdin.write(text), shown: () => String(stdout.read() ?? '') });
  } finally {
    input.close();
  }
}

const [CTRL_C, CTRL_D] = ['\x03', '\x04'];

/** Until what was typed has been heard. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('messages from a pipe', () => {
  it('are its lines, with nothing printed, until it ends', async () => {
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    const input = messageInput(new AbortController().signal, { stdin, stdout });
    stdin.end('one \\\r\n\n二\nlast');
    const messages: string[] = [];
    for (let message = await input.next(); message !== undefined; message = await input.next()) messages.push(message);
    assert.deepEqual(messages, ['one \\', '', '二', 'last']);
    assert.equal(stdout.read(), null);
  });

  it('end when the program is told to stop, whatever has come', async () => {
    const controller = new AbortController();
    await withInput(
      false,
      async ({ input, type }) => {
        type('one\ntwo\nthree\n');
        assert.equal(await input.next(), 'one');
        const stopped = input.during((signal) => new Promise<boolean>((resolve) => signal.addEventListener('abort', () => resolve(true))));
        controller.abort();
        assert.deepEqual([await stopped, await input.next()], [true, undefined]);
      },
      controller.signal,
    );
  });
});

describe('messages that are typed', () => {
  it('come with each line, after a prompt', async () => {
    await withInput(true, async ({ input, type, shown }) => {
      const first = input.next();
      type('今晚 hello\r');
      assert.equal(await first, '今晚 hello');
      assert.match(shown(), /> .*今晚 hello/);
      type(CTRL_D);
      assert.equal(await input.next(), undefined);
    });
  });

  it('go on after a backslash at the end of a line', async () => {
    await withInput(true, async ({ input, type, shown }) => {
      const message = input.next();
      type('one\\\r');
      type('two\r');
      assert.equal(await message, 'one\ntwo');
      assert.match(shown(), /… /);
    });
  });

  it('are one for a paste of several lines, sent with Enter', async () => {
    await withInput(true, async ({ input, type }) => {
      const message = input.next();
      type('\x1b[200~one\\\rtwo\rthree\x1b[201~');
      type('!\r');
      assert.equal(await message, 'one\\\ntwo\nthree!');
    });
  });

  it('are not shown while something else is, and kept; Ctrl-C stops that and nothing else', async () => {
    await withInput(true, async ({ input, type, shown }) => {
      await settled();
      shown();
      const aborted = await input.during(async (signal) => {
        type('ahead\rhal');
        await settled();
        assert.equal(shown(), '');
        type(CTRL_C);
        await settled();
        return signal.aborted;
      });
      assert.equal(aborted, true);
      assert.equal(await input.next(), 'ahead');
      assert.equal(shown(), '> ahead\n', 'now it is shown');
      const next = input.next();
      assert.match(shown(), /> hal/);
      type('f\r');
      assert.equal(await next, 'half');
      assert.equal(await input.during(async (signal) => signal.aborted), false);
    });
  });

  it('are dropped by Ctrl-C; on an empty line a first one warns and a second one leaves', async () => {
    await withInput(true, async ({ input, type, shown }) => {
      const message = input.next();
      type(`one\\\rtwo${CTRL_C}`);
      await settled();
      assert.doesNotMatch(shown(), /once more/);
      type(CTRL_C);
      await settled();
      assert.match(shown(), /Ctrl-C once more, Ctrl-D or \/exit leaves/);
      type(`x\x7f${CTRL_C}`);
      await settled();
      assert.match(shown(), /once more/, 'what is typed in between counts');
      type(CTRL_C);
      assert.equal(await message, undefined);
      assert.equal(await input.next(), undefined);
    });
  });
});
