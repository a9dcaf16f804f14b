import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileTemplate, Struct, shape, typed } from './index.ts';

const data = new Struct({
  Name: '/web',
  State: { Running: true, ExitCode: 0 },
  Config: { Labels: { b: '2', a: '1' }, Env: ['A=1', 'B=2'], Cmd: null },
  NetworkSettings: { Networks: { bridge: { IPAddress: '172.17.0.2' } } },
  Size: 3.5,
  Label: (name: string) => `label ${name}`,
  Names: () => 'web',
  Missing: null,
});

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
  ['{{and nil true}} {{or nil 0 ""}}| {{and 1 2}} {{or 0 2}}', '<nil> | 2 2'],
  ['{{and false (index .Config.Env 9)}} {{or true (index .Config.Env 9)}}', 'false true'],
  ['{{.Config.Labels.none}} {{.Config.Labels.none.deeper}}', '<no value> <no value>'],
  ['{{.State}} {{if .State}}a{{end}}', 'map[ExitCode:0 Running:true] a'],
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
  [
    '{{.Missing.Some.Sub}}',
    /:1:10: executing "" at <\.Missing\.Some\.Sub>: nil data; no entry for key "Some"/,
  ],
  ['{{and}}', /wrong number of args for and: want at least 1 got 0/],
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
  assert.throws(() => compileTemplate('{{.Nope}}', errors)(new Struct({ Name: 'x' })), field);
  assert.throws(() => compileTemplate('{{.Name', errors), {
    message: /^parsing: template: log-tag:1: unclosed action/,
  });
});

test('strict keys make a key that a map lacks an error', () => {
  assert.throws(() => compileTemplate('{{.a.b}}', { strictKeys: true })({ a: {} }), {
    message: /executing "" at <\.a\.b>: map has no entry for key "b"/,
  });
});

test('typed() gives JSON the names and empty values of a Go type, and its JSON stays as it was', () => {
  const { text, flag, list, map, pointer, struct } = shape;
  const type = struct({
    ID: text,
    Health: pointer(struct({ Log: list() })),
    Ports: map(list(struct({ HostIP: text }))),
    Sysctls: map(),
    Shell: list(),
    OnBuild: list(),
    Inner: struct({ Enabled: flag }),
  });
  const value = typed({ Id: 'a', OnBuild: null, Ports: { 80: [{ HostIp: '::' }] }, Other: 1 }, type);
  const render = (source: string) => compileTemplate(source)(value);
  assert.equal(render('{{.ID}}{{.Other}} {{range .Ports}}{{range .}}{{.HostIP}}{{end}}{{end}}'), 'a1 ::');
  assert.equal(
    render('{{.Health}} {{.Shell}} {{.Sysctls}} {{.OnBuild}} {{.Inner.Enabled}}'),
    '<nil> [] map[] [] false',
  );
  assert.equal(
    render('{{if .Health}}x{{end}}{{if .Shell}}x{{end}}{{if .Sysctls}}x{{end}}{{if .Inner}}y{{end}}'),
    'y',
  );
  assert.equal(
    render('{{json .Health}} {{json .Shell}} {{json .OnBuild}} {{json .Sysctls}}'),
    'null null null null',
  );
  assert.equal(render('{{json .}}'), '{"Id":"a","OnBuild":null,"Ports":{"80":[{"HostIp":"::"}]},"Other":1}');
  assert.equal(
    render('{{index .Sysctls "x"}}|{{json (index .Ports "no")}} {{range index .Ports "no"}}x{{end}}'),
    '|null ',
  );
  assert.equal(render('{{.Inner}} {{len .Shell}} {{.Sysctls.x}}'), '{false} 0 <no value>');
  for (const broken of [
    '{{.Id}}',
    '{{.Health.Log}}',
    '{{.Inner.Nope}}',
    '{{len .Inner}}',
    '{{range .Inner}}{{end}}',
  ]) {
    assert.throws(() => render(broken), { code: 'invalidArgument' }, broken);
  }
});

test('typed() puts the fields of a type in its order, and takes each by its name in JSON', () => {
  const { text, map, struct, inJson } = shape;
  const type = struct({ A: text, Aux: inJson('Auxiliary', map()), B: text });
  const value = typed({ b: '2', Auxiliary: { x: 'y' }, other: 3, a: '1' }, type);
  assert.equal(compileTemplate('{{.}}')(value), '{1 map[x:y] 2 3}');
});

test('typed() gives times and durations that print as those of Go, and count as numbers', () => {
  const { duration, list, time, struct } = shape;
  const type = struct({ At: time, Never: time, Ends: list(time), For: duration, None: duration });
  const ends = ['2026-01-02T03:04:05.12Z', '2026-01-02T03:04:00+02:00', '2026-01-02T03:04:05Z'];
  const sent = [ends[0]?.replace('Z', '0Z'), ends[1], ends[2]?.replace('Z', '.000Z')];
  const value = typed({ At: '2026-01-02T03:04:05Z', Ends: sent, For: 90e9 }, type);
  const render = (source: string) => compileTemplate(source)(value);
  assert.equal(render('{{.At}} {{.Never}}'), '2026-01-02 03:04:05 +0000 UTC 0001-01-01 00:00:00 +0000 UTC');
  assert.equal(
    render('{{.Ends}}'),
    '[2026-01-02 03:04:05.12 +0000 UTC 2026-01-02 03:04:00 +0200 +0200 2026-01-02 03:04:05 +0000 UTC]',
  );
  assert.equal(
    render('{{json .Ends}} {{json .For}} {{json .At}}'),
    `${JSON.stringify(ends)} 90000000000 "2026-01-02T03:04:05Z"`,
  );
  assert.equal(
    render(
      '{{.For}} {{eq .For 90000000000}} {{ne .For 1}} {{gt .For .None}} {{if .None}}x{{end}}{{if .Never}}y{{end}}',
    ),
    '1m30s true true true y',
  );
  assert.equal(render('{{printf "%d %s" .For .For}} {{.For.Minutes}}'), '90000000000 1m30s 1.5');
  for (const broken of ['{{.At.Nope}}', '{{.For.Nope}}', '{{len .At}}']) {
    assert.throws(() => render(broken), { code: 'invalidArgument' }, broken);
  }
});
