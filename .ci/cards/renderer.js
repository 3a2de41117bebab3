// Writes the official renderer of Adaptive Cards without what only its developers need: white space, comments and the source map.
// What it prints is what the page of cards has, compressed, as handler/page/adaptivecards/adaptivecards.min.js.gz.
'use strict';
const fs = require('fs');
const { minify } = require('terser');

minify(fs.readFileSync(require.resolve('adaptivecards/dist/adaptivecards.js'), 'utf8'), { compress: { passes: 2 } })
  .then(minified => process.stdout.write(minified.code + '\n'));
