import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileTemplate } from './index.ts';

const data = {
  Name: '/web',
  State: { Running: true, ExitCode: 0 },
  Config: { Labels: { b: '2', a: '1' }, Env: ['A=1', 'B=2'], Cmd: null },
  NetworkSettings: { Networks: { bridge: { IPAddress: '172.17.0.2' } } },
  Size: 3.5,
  Label: (name: string) => `label ${name}`,
  Names: () => 'web',
};

const cases: readonly (readonly [string, string])[] = [
  ['{{.Name}} {{.State.Running}} {{.State.ExitCode}}', '/web true 0'],
  ['{{json .Config.Env}} {{.Config.Env | json}}', '["A=1","B=2"] ["A=1","B=2"]'],
  ['{{range .Config.Env}}{{println .}}{{end}}', 'A=1\nB=2\n'],
  ['{{range $i, $e := .Config.Env}}{{$i}}={{$e}} {{end}}', '0=A=1 1=B=2 '],
  ['{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}}{{end}}', 'bridge 172.17.0.2'],
  ['{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', '172.17.0.2'],
  ['{{index .Config.Labels "a"}}{{index .Config.Env 1}}', '1B=2'],
  ['{{with index .Config.Labels "none"}}x{{else}}none{{end}}', 'none'],
  ['{{if eq .State.ExitCode 0}}ok{{else if .Name}}named{{else}}bad{{end}}', 'ok'],
  ['{{if not .State.Running}}a{{else if and .Name (gt .Size 3.0)}}b{{else}}c{{end}}', 'b'],
  ['{{.Label "x"}} {{.Names}}', 'label x web'],
  [
    '{{upper .Name}} {{lower "AB"}} {{title "foo bar"}} {{truncate .Name 3}} {{pad "x" 1 2}}|',
    '/WEB ab Foo Bar /we  x  |',
  ],
  ['{{join .Config.Env ","}} {{len .Config.Env}} {{(split "a:b" ":")}}', 'A=1,B=2 2 [a b]'],
  ['{{.Config.Labels}} {{.Config.Env}} {{.Config.Cmd}}', 'map[a:1 b:2] [A=1 B=2] <nil>'],
  ['{{printf "%-6s|%5d|%q|%03d" .Name 42 "x" 7}}', '/web  |   42|"x"|007'],
  ['a {{- " b " -}} c', 'a b c'],
  ['{{/* gone */}}x{{ slice "abcdef" 1 3 }}', 'xbc'],
  ['{{$x := .Name}}{{if true}}{{$x = "new"}}{{end}}{{$x}}', 'new'],
  ['{{range .Config.Env}}{{if eq . "B=2"}}{{break}}{{end}}{{.}}{{end}}', 'A=1'],
  ['{{(index .Config.Env 0) | printf "%s!"}}', 'A=1!'],
  ['{{$.Name}}\t{{`raw "x"`}}', '/web\traw "x"'],
  ['{{ne 1 2}} {{or "" "b"}} {{le 1 1}} {{lt "a" "b"}}', 'true b true true'],
];

for (const [source, expected] of cases) {
  test(`compileTemplate() renders ${JSON.stringify(source)}`, () => {
    assert.equal(compileTemplate(source)(data), expected);
  });
}

const broken: readonly (readonly [string, RegExp])[] = [
  ['{{.Name', /unclosed action/],
  ['{{if .Name}}x', /unexpected EOF/],
  ['{{.Nope}}', /template: :1:2: executing "" at <.Nope>: can't evaluate field Nope/],
  ['{{nope .Name}}', /function "nope" not defined/],
  ['{{.Name.Sub}}', /can't evaluate field Sub in type string/],
  ['{{end}}', /unexpected \{\{end\}\}/],
  ['{{index .Config.Env 9}}', /index out of range: 9/],
  ['{{}}', /missing value for command/],
];

for (const [source, message] of broken) {
  test(`compileTemplate() refuses ${JSON.stringify(source)}`, () => {
    assert.throws(() => compileTemplate(source)(data), { name: 'EngineError', message });
  });
}

test('errors say the name of a template that has one, and the type of its data', () => {
  const errors = { parse: 'parsing: ', execute: 'running: ', name: 'log-tag', dataType: '*logger.Info' };
  const field = {
    message: /^running: template: log-tag:1:2: executing "log-tag" at <\.Nope>: .* in type \*logger\.Info$/,
  };
  assert.throws(() => compileTemplate('{{.Nope}}', errors)({ Name: 'x', Method: () => '' }), field);
  assert.throws(() => compileTemplate('{{.Name', errors), {
    message: /^parsing: template: log-tag:1: unclosed action/,
  });
});
