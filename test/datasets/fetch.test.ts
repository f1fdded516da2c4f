import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { fetchSource, listSources, type Source } from '../../datasets/fetch.js';
import { temporaryFolder } from './temporary.js';

describe('fetching public data', () => {
  const at = temporaryFolder();
  let server: http.Server;
  let address: string;
  before(async () => {
    server = http.createServer((request, response) => {
      response.statusCode = request.url === '/sets/tinyshakespeare.txt' ? 200 : 404;
      response.end('not the real text');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => server.close());

  it('knows an address, checksum, licence, format and file name for each set', async () => {
    for (const [name, source] of await listSources()) {
      assert.match(source.url, /^https:\/\//, name);
      assert.match(source.sha256, /^[0-9a-f]{64}$/, name);
      assert.match(source.file, /^[\w-]+\.(txt|jsonl|json)$/, name);
      assert.ok(source.licence && source.about && ['text', 'jsonl', 'json'].includes(source.format), name);
    }
  });

  it('does not take a file whose checksum is wrong, from a folder or an address, and leaves nothing behind', async () => {
    await fs.mkdir(at('from'));
    await fs.writeFile(at('from/tinyshakespeare.txt'), 'not the real text');
    const received = createHash('sha256').update('not the real text').digest('hex');
    for (const from of [at('from'), `${address}/sets/`]) {
      await assert.rejects(fetchSource('tinyshakespeare', { from, directory: at('data') }), {
        name: 'UserError',
        message: new RegExp(`received ${received}.*--from`),
      });
      assert.deepEqual(await fs.readdir(at('data')), []);
    }
  });

  it('brings the file from its own address, a folder or another address, and not again while it is whole', async () => {
    const text = 'not the real text';
    const sha256 = createHash('sha256').update(text).digest('hex');
    const url = `${address}/sets/tinyshakespeare.txt`;
    const sources = new Map<string, Source>([
      ['ours', { about: '', file: 'tinyshakespeare.txt', format: 'text', licence: 'MIT', url, sha256 }],
    ]);
    await fs.mkdir(at('copies'), { recursive: true });
    await fs.writeFile(at('copies/tinyshakespeare.txt'), text);
    for (const [i, from] of [undefined, at('copies'), `${address}/sets`].entries()) {
      const options = { from, directory: at(`whole-${i}`), sources };
      const { path, present } = await fetchSource('ours', options);
      assert.equal(await fs.readFile(path, 'utf8'), text);
      assert.deepEqual(await fs.readdir(options.directory), ['tinyshakespeare.txt']);
      assert.equal(present, false);
      assert.equal((await fetchSource('ours', { ...options, from: at('nowhere') })).present, true);
      await fs.writeFile(path, 'damaged');
      assert.equal((await fetchSource('ours', options)).present, false);
      assert.equal(await fs.readFile(path, 'utf8'), text);
    }
  });

  it('says what to do where a name, a file or an address is not there', async () => {
    const failing = (name: string, from: string) => fetchSource(name, { from, directory: at('data') });
    await assert.rejects(failing('tinyshakespere', at()), { name: 'UserError', message: /Did you mean tinyshakespeare\?/ });
    await assert.rejects(failing('wiki-demo', at('from')), { name: 'UserError', message: /within reach.*ENOENT.*--from/ });
    await assert.rejects(failing('wiki-demo', `${address}/sets`), { name: 'UserError', message: /status 404.*--from/ });
    await assert.rejects(failing('wiki-demo', 'http://127.0.0.1:1'), { name: 'UserError', message: /within reach.*--from/ });
  });
});
