import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  atomicDirectory,
  cleanLeftovers,
  makeFolder,
  removeDirectory,
  settledDirectory,
  sha256File,
  writeFileAtomic,
} from '../../util/files.js';

describe('files', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await fs.mkdtemp(join(tmpdir(), 'fourfold-'));
    path = join(directory, 'thing');
  });
  afterEach(() => fs.rm(directory, { recursive: true }));

  it('are hashed as FIPS 180-2 says, empty or longer than a piece', async () => {
    await fs.writeFile(path, 'abc');
    assert.equal(await sha256File(path), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    await fs.writeFile(path, 'a'.repeat(1_000_000));
    assert.equal(await sha256File(path), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0');
    await fs.writeFile(path, '');
    assert.equal(await sha256File(path), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it('are replaced as a whole, in folders made on the way, and leave nothing beside', async () => {
    const deep = join(directory, 'a', 'b.json');
    await writeFileAtomic(deep, 'first');
    await writeFileAtomic(deep, 'second');
    assert.equal(await fs.readFile(deep, 'utf8'), 'second');
    assert.deepEqual(await fs.readdir(join(directory, 'a')), ['b.json']);
  });

  it('of a directory whose filling fails do not appear, and the old ones stay', async () => {
    const fill = (text: string) => atomicDirectory(path, (temporary) => fs.writeFile(join(temporary, 'file'), text));
    await fill('old');
    const failing = atomicDirectory(path, async (temporary) => {
      await fs.writeFile(join(temporary, 'file'), 'new');
      throw new Error('no');
    });
    await assert.rejects(failing, /^Error: no$/);
    assert.deepEqual(await fs.readdir(directory), ['thing']);
    assert.equal(await fs.readFile(join(path, 'file'), 'utf8'), 'old');
  });

  it('that interrupted writes left are put back or cleared, others kept', async () => {
    for (const name of ['.thing.old', '.other.tmp-17', '.done.old', 'done', '.gitignore.d']) await fs.mkdir(join(directory, name));
    await fs.writeFile(join(directory, '.done.tmp-17'), '');
    assert.equal(await settledDirectory(path), join(directory, '.thing.old'));
    await cleanLeftovers(directory);
    assert.deepEqual((await fs.readdir(directory)).sort(), ['.gitignore.d', 'done', 'thing']);
    assert.equal(await settledDirectory(path), path);
    await removeDirectory(path);
    assert.deepEqual((await fs.readdir(directory)).sort(), ['.gitignore.d', 'done']);
  });

  it('that cannot be written are a message: a folder or a file in the way, a folder that takes none, a name too long', async () => {
    const refuses = (attempt: Promise<void>, message: RegExp) => assert.rejects(attempt, { name: 'UserError', message });
    await makeFolder(join(path, 'a', 'b'));
    await makeFolder(join(path, 'a', 'b'));
    await fs.writeFile(join(path, 'file'), 'good');
    await refuses(writeFileAtomic(join(path, 'a'), 'x'), /^write .*thing\/a: it is a directory \(EISDIR\)\. Name a file in it/);
    await refuses(writeFileAtomic(join(path, 'file', 'x'), 'x'), /^write .*file: a file is in the place of its folder \(EEXIST\)/);
    await refuses(makeFolder(join(path, 'file', 'a', 'b')), /a file is in the place of its folder \(ENOTDIR\)/);
    await refuses(writeFileAtomic(join(path, 'x'.repeat(300)), 'x'), /its name is too long/);
    assert.deepEqual((await fs.readdir(path)).sort(), ['a', 'file']);
    assert.equal(await fs.readFile(join(path, 'file'), 'utf8'), 'good');
  });

  it('below /proc, where no folder can be made, are refused, not tried for ever', async function () {
    if (process.platform !== 'linux') this.skip();
    await assert.rejects(makeFolder('/proc/none/such'), { name: 'UserError', message: /cannot be made \(ENOENT\)|not permitted/ });
  });
});
