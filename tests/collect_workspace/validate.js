// Checks Kusto queries with Microsoft's own parser and binder, the one behind the portal's editor.
//
//   node validate.js schema.json < [{"name": …, "text": …}, …]
//
// prints [{"name", "severity", "code", "message", "columns"}, …]: what is wrong, and the columns of each answer.
'use strict';
const fs = require('fs');
const path = require('path');
const vm = require('vm');

// The package is made for browsers: it wants its runtime to be global.
const folder = path.dirname(require.resolve('@kusto/language-service-next/package.json'));
for (const name of ['bridge.min.js', 'Kusto.Language.Bridge.min.js']) {
  vm.runInThisContext(fs.readFileSync(path.join(folder, name), 'utf8'), { filename: name });
}
const Language = globalThis.Kusto.Language;
const Symbols = Language.Symbols;

function globals(tables) {
  const symbols = Object.entries(tables).map(([name, columns]) => {
    const said = Object.entries(columns).map(([column, type]) => `['${column}']: ${type}`).join(', ');
    return Symbols.TableSymbol.From(`(${said})`).WithName(name);
  });
  const database = new Symbols.DatabaseSymbol.ctor('LogAnalytics', symbols, null, false);
  const cluster = new Symbols.ClusterSymbol.ctor('local', [database], false);
  return Language.GlobalState.Default.WithCluster(cluster).WithDatabase(database);
}

function list(found) {
  const items = [];
  for (let i = 0; i < (found.Count !== undefined ? found.Count : found.length); i++) {
    items.push(found.getItem ? found.getItem(i) : found[i]);
  }
  return items;
}

const schema = globals(JSON.parse(fs.readFileSync(process.argv[2], 'utf8')));
const answers = JSON.parse(fs.readFileSync(0, 'utf8')).map(({ name, text }) => {
  const code = Language.KustoCode.ParseAndAnalyze(text, schema);
  const problems = list(code.GetDiagnostics()).map((d) => `${d.Severity} ${d.Code} at ${d.Start}: ${d.Message}`);
  const columns = code.ResultType && code.ResultType.Columns ? list(code.ResultType.Columns) : [];
  return { name, problems, columns: columns.map((column) => `${column.Name}:${column.Type.Name}`) };
});
console.log(JSON.stringify(answers));
