import assert from 'node:assert/strict';
import { readConversations, readPrompts } from '../../datasets/conversations.js';
import { optimality, walkGraph, writeRandomWalks } from '../../datasets/random-walks.js';
import { sha256File } from '../../util/files.js';
import { temporaryFolder } from './temporary.js';

async function all<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
  const rows: T[] = [];
  for await (const batch of batches) rows.push(...batch);
  return rows;
}
const asked = (content: string) => [{ role: 'user' as const, content }];

describe('random walks', () => {
  const at = temporaryFolder();
  const graph = walkGraph();
  /** The shortest way from a node, found by trying all. */
  const best = (node: number, left: number): string | undefined => {
    if (node === 0) return 'a';
    const letter = String.fromCharCode(97 + node);
    if (left === 1) return undefined;
    const ways = graph.next[node].flatMap((to) => best(to, left - 1) ?? []).sort((a, b) => a.length - b.length);
    return ways.length > 0 ? letter + ways[0] : undefined;
  };

  it('have a graph of 21 nodes, each of which leads to the goal in fewer than 10', () => {
    assert.equal(graph.next.length, 21);
    assert.deepEqual(graph.next[0], []);
    graph.shortest.forEach((length, node) => {
      assert.equal(best(node, length)?.length, length, `node ${node}`);
      assert.equal(length > 1 ? best(node, length - 1) : undefined, undefined);
    });
    assert.deepEqual(walkGraph(), graph);
  });

  it('are worth 1 where they are the shortest, less where they are longer, 0 where they take no edge or do not arrive', () => {
    const far = graph.shortest.indexOf(Math.max(...graph.shortest));
    const way = best(far, 10)!;
    assert.equal(optimality(graph, asked(way[0]), way.slice(1)), 1);
    assert.equal(optimality(graph, asked(way[0]), `${way.slice(1)}and what follows`), 1);
    assert.equal(optimality(graph, asked(way[0]), way.slice(1, -1)), 0);
    assert.equal(optimality(graph, asked(way[0]), ''), 0);
    const jump = String.fromCharCode(97 + graph.next.findIndex((_, node) => node > 0 && !graph.next[far].includes(node)));
    assert.equal(optimality(graph, asked(way[0]), `${jump}a`), 0);
    // A detour: to a node that is no nearer, and from there the shortest way.
    const [from, to] = graph.next.flatMap((nodes, node) => nodes.filter((to) => graph.shortest[to] === graph.shortest[node]).map((to) => [node, to]))[0]; // biome-ignore format: long
    const detour = best(to, 10)!;
    const [shortest, length] = [graph.shortest[from], detour.length + 1];
    assert.equal(length, shortest + 1);
    assert.equal(optimality(graph, asked(String.fromCharCode(97 + from)), detour), (10 - length) / (10 - shortest));
  });

  it('refuse a prompt that is no node to begin at', () => {
    for (const prompt of ['a', 'z', 'bc', ''])
      assert.throws(() => optimality(graph, asked(prompt), 'a'), /must be one of the nodes b to u; received/);
  });

  it('are written as walks along edges, the same for a seed', async () => {
    await writeRandomWalks({ output: at('one'), seed: 5, walks: 40 });
    await writeRandomWalks({ output: at('two'), seed: 5, walks: 40 });
    for (const file of ['walks.arrow', 'conversations.arrow', 'prompts.arrow'])
      assert.equal(await sha256File(at(`one/${file}`)), await sha256File(at(`two/${file}`)));
    const rows = await all(readConversations(at('one/conversations.arrow')));
    assert.equal(rows.length, 40);
    for (const { messages } of rows) {
      const walk = messages.map(({ content }) => content).join('');
      assert.ok(walk.length === 10 || walk.endsWith('a'), walk);
      for (let i = 0; i + 1 < walk.length; i++) assert.ok(graph.next[walk.charCodeAt(i) - 97].includes(walk.charCodeAt(i + 1) - 97), walk);
    }
    assert.equal(new Set((await all(readPrompts(at('one/prompts.arrow')))).map(({ prompt }) => prompt[0].content)).size, 20);
    await assert.rejects(writeRandomWalks({ output: at('one'), seed: 5, walks: 1 }), /one exists already/);
    await writeRandomWalks({ output: at('one'), seed: 5, walks: 1, overwrite: true });
  });
});
