import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';

const scripts: Readonly<Record<string, string>> = {
  bash: `# bash completion for gantry: source <(gantry completion bash)
_gantry() {
  COMPREPLY=()
  local words word before line=\${COMP_LINE:0:COMP_POINT} replaced=
  # For bash a colon parts words, and it replaces no more than what follows one; for us a tag belongs to its name.
  local current=\${line##*[[:space:]]}
  if [[ $COMP_WORDBREAKS = *:* ]]; then replaced=\${current%"\${current##*:}"}; fi
  read -ra before <<<"\${line%"$current"}"
  # Names come from a daemon: nothing may expand them, here or in the line that they are put in.
  mapfile -t words < <(gantry __complete "\${before[@]:1}" "$current" 2>/dev/null)
  if [ "\${words[0]}" = ':files' ]; then
    compopt -o default
    return
  fi
  for word in "\${words[@]}"; do
    printf -v word %q "\${word#"$replaced"}"
    COMPREPLY+=("$word")
  done
}
complete -F _gantry gantry
`,
  zsh: `#compdef gantry
# zsh completion for gantry: source <(gantry completion zsh)
_gantry() {
  local -a found
  found=("\${(@f)$(gantry __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "$found" = ':files' ]]; then
    _files
  else
    compadd -- $found
  fi
}
compdef _gantry gantry
`,
  fish: `# fish completion for gantry: gantry completion fish | source
function __gantry_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found (gantry __complete $words[2..-1] 2>/dev/null)
  if test "$found" = ':files'
    __fish_complete_path (commandline -ct)
  else
    string join -- \\n $found
  end
end
complete -c gantry -f -a '(__gantry_complete)'
`,
};

export const completionCommand = defineCommand({
  usage: 'bash|zsh|fish',
  summary: 'Print the completion script of a shell',
  details:
    'Load it with `source <(gantry completion bash)`, or put it where your shell looks for completions.',
  minArgs: 1,
  maxArgs: 1,
  flags: {},
  async run({ context, args }) {
    const script = scripts[args[0] ?? ''];
    if (script === undefined) {
      throw new EngineError(
        'invalidArgument',
        `unknown shell ${JSON.stringify(args[0])}: must be bash, zsh or fish`,
      );
    }
    context.stdout.write(script);
  },
});
