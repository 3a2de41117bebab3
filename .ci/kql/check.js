// Asks the official KQL parser about queries: JSON lines in, JSON lines out.
//
//   {"tables": [{"name": ..., "columns": [{"name": ..., "type": ...}]}]}
//       declares the tables for the queries that follow, in place of earlier ones; gives no answer.
//   {"id": ..., "query": ...}
//       is answered by {"id", "columns": [{"name", "type"}], "diagnostics": [{"code", "severity", "message", "line",
//       "column", "token"}]}: lines and columns count from 1, columns in UTF-16 units as JavaScript does.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const vm = require('vm');

// The package is a compiled .NET assembly: its runtime and then itself run as plain scripts.
const dir = path.dirname(require.resolve('@kusto/language-service-next/package.json'));
for (const file of ['bridge.min.js', 'Kusto.Language.Bridge.min.js']) {
  vm.runInThisContext(fs.readFileSync(path.join(dir, file), 'utf8'), { filename: file });
}
const { KustoCode, GlobalState, Symbols } = Kusto.Language;

const quote = name => "['" + name.replace(/\\/g, '\\\\').replace(/'/g, "\\'") + "']";

function declare(tables) {
  const symbols = tables.map(t =>
    Symbols.TableSymbol.From('(' + t.columns.map(c => quote(c.name) + ': ' + c.type).join(', ') + ')').WithName(t.name));
  return GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor('workspace', symbols));
}

const items = list => Array.from({ length: list.Count }, (_, i) => list.getItem(i));

function check(query, globals) {
  const code = KustoCode.ParseAndAnalyze(query, globals);
  const diagnostics = items(code.GetDiagnostics()).map(d => {
    const before = query.slice(0, d.Start).split('\n');
    return {
      code: d.Code, severity: d.Severity, message: d.Message,
      line: before.length, column: before[before.length - 1].length + 1,
      token: query.slice(d.Start, d.Start + d.Length),
    };
  });
  const type = code.ResultType;
  const columns = type && type.Columns ? items(type.Columns).map(c => ({ name: c.Name, type: c.Type.Name })) : [];
  return { columns, diagnostics };
}

let globals = declare([]);
readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', line => {
  if (line.trim() === '') return;
  const message = JSON.parse(line);
  if (message.tables) {
    globals = declare(message.tables);
    return;
  }
  process.stdout.write(JSON.stringify({ id: message.id, ...check(message.query, globals) }) + '\n');
});
