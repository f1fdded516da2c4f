// The house, top to bottom: a folder may import only what stands below it.
const house = [
  'cli',
  'server',
  'pipelines',
  'stages',
  'evaluation',
  'sampler',
  'training',
  'checkpoints',
  'datasets',
  'configs',
  'model',
  'tokenizer',
  'ops',
  'backends',
  'util',
];
const exceptions = { model: ['ops', 'backends', 'util'], tokenizer: ['util'], ops: ['backends', 'util'], backends: ['util'], util: [] };

const rules = house.map((folder, i) => {
  const allowed = exceptions[folder] ?? house.slice(i + 1);
  const forbidden = [...house.filter((f) => f !== folder && !allowed.includes(f)), 'test', 'bench'];
  return {
    name: `${folder}-imports-down`,
    comment: `${folder}/ may import ${allowed.join(', ') || 'nothing of the project'}`,
    severity: 'error',
    from: { path: `^${folder}/` },
    to: { path: `^(${forbidden.join('|')})/` },
  };
});

module.exports = {
  forbidden: [
    ...rules,
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'tensors-above-backends',
      comment: 'tfjs itself may be imported from backends/ and ops/ upwards, never by the tokenizer or util',
      severity: 'error',
      from: { path: '^(tokenizer|util)/' },
      to: { path: '@tensorflow' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
