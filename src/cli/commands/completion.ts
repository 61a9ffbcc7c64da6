// completion: scripts for the shells, and how kubectl itself completes.
import { ExitCode, UsageError, type Command } from '../command.ts';

export const completion: Command = {
  name: 'completion',
  usage: '(bash | zsh | fish)',
  summary: 'Print a script that completes kubectl-lakebranch in a shell.',
  description: [
    'kubectl completes "kubectl lakebranch ..." by itself if it finds a program kubectl_complete-lakebranch in the PATH. It is the same file as this one under another name, which npm installs; by hand: ln -s kubectl-lakebranch kubectl_complete-lakebranch.',
    'The script of this command is for the name kubectl-lakebranch.',
  ],
  examples: [['completion bash > ~/.local/share/bash-completion/completions/kubectl-lakebranch', 'for good']],
  flags: [],
  args: [1, 1],
  completes: 'shells',
  run: ({ invocation, terminal }) => {
    const [shell = ''] = invocation.args;
    const script = scripts[shell];
    if (script === undefined) throw new UsageError(`completion knows bash, zsh and fish, not ${shell}`);
    terminal.out(script.trim());
    return Promise.resolve(ExitCode.done);
  },
};

const scripts: Readonly<Record<string, string>> = {
  bash: `
_kubectl_lakebranch() {
  local IFS=$'\\n' line
  COMPREPLY=()
  while read -r line; do
    case "$line" in
      :*) ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <(kubectl-lakebranch __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _kubectl_lakebranch kubectl-lakebranch
`,
  zsh: `
#compdef kubectl-lakebranch
_kubectl_lakebranch() {
  local -a candidates
  local line
  while IFS= read -r line; do
    case "$line" in
      :*) ;;
      *$'\\t'*) candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
      *) candidates+=("\${line//:/\\\\:}") ;;
    esac
  done < <(kubectl-lakebranch __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe kubectl-lakebranch candidates
}
compdef _kubectl_lakebranch kubectl-lakebranch
`,
  fish: `
function __kubectl_lakebranch
  set -l words (commandline -opc)
  set -l last (commandline -ct)
  kubectl-lakebranch __complete $words[2..-1] "$last" 2>/dev/null | string match -v ':*'
end
complete -c kubectl-lakebranch -f -a '(__kubectl_lakebranch)'
`,
};
