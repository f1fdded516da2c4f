import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type RecordBatch, tableFromIPC } from 'apache-arrow';
import { ArrowFile, corpusBatch, corpusSchema, openArrow, readBatches, readMetadata } from '../../datasets/arrow.js';
import { readFooter } from '../../datasets/arrow-schema.js';
import { readChunks } from '../../datasets/chunks.js';
import { temporaryFolder } from './temporary.js';

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/arrow/${name}`, import.meta.url));

/** Rows as plain values: 64-bit integers and vectors become what JSON has. */
function rows(batches: readonly RecordBatch[]): unknown[] {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
  return JSON.parse(
    JSON.stringify(
      batches.flatMap((batch) => batch.toArray().map((row) => row.toJSON())),
      plain,
    ),
  );
}

async function batchesOf(path: string): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = [];
  for await (const batch of readBatches(path)) batches.push(batch);
  return batches;
}

describe('an Arrow file', () => {
  const at = temporaryFolder();
  let made = 0;
  const write = async (bytes: Uint8Array): Promise<string> => {
    const path = at(`${made++}.arrow`);
    await fs.writeFile(path, bytes);
    return path;
  };
  const refuses = async (bytes: Uint8Array, message: RegExp) => {
    const path = await write(bytes);
    await assert.rejects(batchesOf(path), (error: Error) => {
      assert.equal(error.name, 'UserError', error.stack);
      assert.match(error.message, new RegExp(`^read data: ${path} must be an Arrow IPC file; `));
      assert.match(error.message, message);
      return true;
    });
  };

  it('of pyarrow gives what pyarrow reads in it: lists, structures, nulls, large and small', async () => {
    const expected = JSON.parse(await fs.readFile(fixture('nested.json'), 'utf8'));
    assert.deepEqual(rows(await batchesOf(fixture('nested.arrow'))), expected);
  });

  it('of pyarrow with times, decimals and binaries gives what apache-arrow reads in it', async () => {
    const theirs = tableFromIPC(await fs.readFile(fixture('moments.arrow')));
    const [ours] = await batchesOf(fixture('moments.arrow'));
    assert.equal(String(ours.schema), String(theirs.schema));
    for (const name of ours.schema.names) assert.deepEqual(ours.getChild(name)!.get(0), theirs.getChild(name)!.get(0), String(name));
  });

  it('gives its metadata, and its batches in any order and at once', async () => {
    const file = await openArrow(fixture('corpus.arrow'));
    assert.equal(file.batches, 2);
    const [second, first] = await Promise.all([file.batch(1), file.batch(0)]);
    await file.close();
    const texts = [first, second].flatMap((batch) => rows([batch]) as { text: string; source: string }[]).map(({ text }) => text);
    assert.deepEqual(texts, ['one', '', 'über ☕', '🙂 four', 'five']);
    assert.deepEqual(
      new Map(await readMetadata(fixture('corpus.arrow'))),
      new Map([
        ['importer', 'test'],
        ['source_sha256', '0'],
      ]),
    );
  });

  it('of before version 0.15, and one without rows, are read', async () => {
    assert.deepEqual(rows(await batchesOf(fixture('legacy.arrow'))), rows(await batchesOf(fixture('corpus.arrow'))));
    assert.deepEqual(rows(await batchesOf(fixture('empty.arrow'))), []);
  });

  it('that is written is read by apache-arrow, a batch in it as soon as `write` is done', async () => {
    const path = at('written.arrow');
    const schema = corpusSchema(new Map([['importer', 'test']]));
    const file = new ArrowFile(path, schema);
    const text = 'é'.repeat(1 << 16);
    await file.write(corpusBatch(schema, [text, ''], ['a', 'b']));
    assert.ok((await fs.stat(path)).size > 2 * text.length);
    await file.write(corpusBatch(schema, ['three'], ['a']));
    await file.close();
    const table = tableFromIPC(await fs.readFile(path));
    assert.deepEqual(
      table.toArray().map((row) => row.toJSON()),
      [
        { text, source: 'a' },
        { text: '', source: 'b' },
        { text: 'three', source: 'a' },
      ],
    );
    assert.deepEqual(table.schema.metadata, new Map([['importer', 'test']]));
  });

  it('that cannot be written says why, from the call that meets it', async () => {
    const schema = corpusSchema(new Map());
    const batch = corpusBatch(schema, ['text'], ['a']);
    await assert.rejects(new ArrowFile(at(), schema).write(batch), {
      name: 'UserError',
      message: /^write .*: it is a directory \(EISDIR\)\. /,
    });
    const removed = new ArrowFile(at('removed/.corpus.arrow.tmp-17'), schema);
    await assert.rejects(removed.write(batch), {
      message: /^write .*removed\/corpus\.arrow: its folder is not there and cannot be made \(ENOENT\)\. /,
    });
    await assert.rejects(removed.close(), { name: 'UserError' });
    await fs.writeFile(at('file'), '');
    await assert.rejects(new ArrowFile(at('file/a.arrow'), schema).write(batch), {
      message: /a file is in the place of its folder \(ENOTDIR\)/,
    });
  });

  it('that is another thing is refused with what it is', async () => {
    await refuses(Buffer.from(''), /it is empty\. Make it with/);
    await refuses(Buffer.from('{}'), /does not begin with ARROW1\. Make one with/);
    await refuses(Buffer.from('PAR1 and so on'), /it is Parquet/);
    await refuses(await fs.readFile(fixture('stream.arrow')), /it is an Arrow stream\. Write it in the file format/);
    await refuses(Buffer.from('ARROW1'), /its end is missing\. It was cut short/);
    await assert.rejects(openArrow(at()), { name: 'UserError', message: /it is a directory\. Name the file/ });
    await assert.rejects(openArrow(at('none')), { name: 'UserError', message: /cannot be opened \(ENOENT\)/ });
    await assert.rejects(openArrow('/dev/null'), { name: 'UserError', message: /it is no file/ });
  });

  it('that is a pipe is not waited for', async function () {
    if (process.platform === 'win32') this.skip();
    execFileSync('mkfifo', [at('pipe')]);
    await assert.rejects(openArrow(at('pipe')), { name: 'UserError', message: /it is no file/ });
  });

  it('with what is not read says the column and the way out', async () => {
    await refuses(
      await fs.readFile(fixture('compressed.arrow')),
      /compressed with lz4, which is not read\. Write it with zstd, or without/,
    );
    await refuses(await fs.readFile(fixture('union.arrow')), /column text is of unions, which is not read\. Write it as utf8/);
  });

  it('with dictionaries, views, maps or compressed with zstd gives the same', async () => {
    const corpus = rows(await batchesOf(fixture('corpus.arrow')));
    assert.deepEqual(rows(await batchesOf(fixture('dictionary.arrow'))), corpus);
    assert.deepEqual(rows(await batchesOf(fixture('zstd.arrow'))), corpus);
    const views = (rows(await batchesOf(fixture('views.arrow'))) as { text: string | null }[]).map(({ text }) => text);
    assert.deepEqual(views, ['one', '', 'über ☕ and more than twelve', null, 'five']);
    const maps = (rows(await batchesOf(fixture('map.arrow'))) as { text: object | null }[]).map(({ text }) => text);
    assert.deepEqual(maps, [{ a: 1 }, null, { b: 2, c: null }]);
  });

  it('whose dictionary, or view of a text, points to nothing is refused', async () => {
    const dictionary = await fs.readFile(fixture('dictionary.arrow'));
    const place = dictionary.length - 10;
    const [{ offset, metadataLength, bodyLength }] = readFooter(dictionary.subarray(place - dictionary.readInt32LE(place), place)).blocks;
    const body = offset + metadataLength;
    const indices = dictionary.indexOf(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]), body); // a, a, b
    assert.ok(indices > body && indices < body + bodyLength);
    for (const index of [2, -1]) {
      const bytes = Buffer.from(dictionary);
      bytes.writeInt32LE(index, indices);
      await refuses(bytes, /column source has values that are not in its dictionary/);
    }
    const views = await fs.readFile(fixture('views.arrow'));
    const view = views.indexOf('übe') - 4; // its length, first 4 bytes, buffer, place
    assert.equal(views.readInt32LE(view), Buffer.byteLength('über ☕ and more than twelve'));
    for (const [at, value] of [
      [0, -1],
      [0, 1000],
      [8, 1],
      [12, 100],
    ]) {
      const bytes = Buffer.from(views);
      bytes.writeInt32LE(value, view + at);
      await refuses(bytes, /column text has a value that is not where it should be/);
    }
  });

  it('that was cut anywhere is refused', async () => {
    const whole = await fs.readFile(fixture('corpus.arrow'));
    for (let length = 6; length < whole.length; length += 3) await refuses(whole.subarray(0, length), /its end is missing/);
  });

  it('whose footer or blocks point out of it is refused', async () => {
    const whole = await fs.readFile(fixture('corpus.arrow'));
    const place = whole.length - 10;
    for (const length of [-1, 0, 1, 5, 0x7fffffff, whole.length - 10]) {
      const bytes = Buffer.from(whole);
      bytes.writeInt32LE(length, place);
      await refuses(bytes, /its footer|its metadata/);
    }
    const footer = whole.subarray(place - whole.readInt32LE(place), place);
    const [{ offset, metadataLength, bodyLength }] = readFooter(footer).blocks;
    const block = Buffer.alloc(24); // a structure of the footer, found by its contents
    block.writeBigInt64LE(BigInt(offset), 0);
    block.writeInt32LE(metadataLength, 8);
    block.writeBigInt64LE(BigInt(bodyLength), 16);
    const found = whole.indexOf(block);
    assert.ok(found > 0);
    for (const [at, value] of [
      [0, -8n],
      [0, 1n << 40n],
      [0, 1n << 60n],
      [16, -1n],
      [16, 1n << 31n],
      [16, 1n << 53n],
    ] as const) {
      const bytes = Buffer.from(whole);
      bytes.writeBigInt64LE(value, found + at);
      await refuses(bytes, /out of it|out of range/);
    }
    const bytes = Buffer.from(whole);
    bytes.writeBigInt64LE(8n, found);
    await refuses(bytes, /a record batch is missing|its metadata/);
  });

  it('whose offsets fall or end beyond the text is refused', async () => {
    const whole = await fs.readFile(fixture('corpus.arrow'));
    const place = whole.length - 10;
    const [{ offset, metadataLength }] = readFooter(whole.subarray(place - whole.readInt32LE(place), place)).blocks;
    const body = offset + metadataLength;
    assert.deepEqual(
      [0, 4, 8, 12].map((i) => whole.readInt32LE(body + i)),
      [0, 3, 3, 12],
    );
    for (const [i, value, message] of [
      [4, 0x7fffffff, /the column text has offsets that fall/],
      [0, -1, /the column text has offsets that fall/],
      [12, 0x7fffffff, /the column text has \d+ bytes where it needs 2147483647/],
    ] as const) {
      const bytes = Buffer.from(whole);
      bytes.writeInt32LE(value, body + i);
      await refuses(bytes, message);
    }
    const bytes = Buffer.from(whole);
    const one = bytes.indexOf('one', body);
    bytes.fill(0xff, one, one + 3); // not UTF-8: no matter of the container
    assert.equal((rows(await batchesOf(await write(bytes))) as { text: string }[])[0].text, '���');
  });

  it('whose schema is small and stands for 2⁶⁰ columns is refused at once', () => {
    const levels = 60;
    const bytes = Buffer.alloc(36 + 44 * (levels + 2));
    /** 32 bytes: where the fields stand in the table (4: a reference, 8: a number, 0: nowhere), the table, and its reference and number. */
    const table = (at: number, fields: readonly number[], reference: number, number: number) => {
      for (const [i, value] of [18, 12, ...fields].entries()) bytes.writeUInt16LE(value, at + 2 * i);
      bytes.writeInt32LE(20, at + 20);
      bytes.writeUInt32LE(reference, at + 24);
      bytes.writeUInt32LE(number, at + 28);
    };
    /** A table and a vector of two references to the table that follows. */
    const twice = (at: number, fields: readonly number[], number: number) => {
      table(at, fields, 8, number);
      for (const [i, value] of [2, 28, 24].entries()) bytes.writeUInt32LE(value, at + 32 + 4 * i);
    };
    bytes.writeUInt32LE(24, 0);
    table(4, [8, 4], 28, 4); // footer: version, schema
    twice(36, [0, 4], 0); // schema: fields
    for (let level = 0; level < levels; level++) twice(80 + 44 * level, [0, 0, 8, 0, 0, 4], 13); // a structure: type, children
    table(80 + 44 * levels, [0, 0, 8], 0, 1);
    const begun = performance.now();
    assert.throws(() => readFooter(bytes), { message: /its metadata point back into themselves/ });
    assert.ok(performance.now() - begun < 2000);
    twice(80 + 44, [0, 0, 8, 0, 0, 0], 1); // the second level without children: the rest of the same bytes is good
    assert.equal(String(readFooter(bytes).schema.fields[1].type), 'Struct<{:Null, :Null}>');
  });

  it('in which any byte is another is read or refused, never worse', async () => {
    const counts = { read: 0, refused: 0 };
    for (const name of ['corpus.arrow', 'nested.arrow', 'dictionary.arrow', 'views.arrow', 'zstd.arrow']) {
      const whole = await fs.readFile(fixture(name));
      for (let i = 0; i < whole.length; i += name === 'corpus.arrow' ? 4 : 13) {
        const bytes = Buffer.from(whole);
        bytes[i] ^= [0xff, 0x80, 0x01][i % 3];
        const path = await write(bytes);
        try {
          rows(await batchesOf(path));
          for await (const { text, offsets } of readChunks(path)) assert.ok(offsets.at(-1) === text.length);
          counts.read++;
        } catch (error) {
          assert.equal((error as Error).name, 'UserError', `byte ${i} of ${name}: ${(error as Error).stack}`);
          counts.refused++;
        }
        await fs.rm(path);
      }
    }
    assert.ok(counts.read > 50 && counts.refused > 50, JSON.stringify(counts));
  });
});
