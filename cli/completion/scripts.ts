/**
 * What each shell loads. All of them ask `muster completion candidates`, which answers with a word and what it means on
 * each line, a tab between; `:files` and `:directories` stand for the shell's own.
 */
export const COMPLETION_SCRIPTS = {
  bash: `# bash completion for muster
_muster() {
  local cur=\${COMP_WORDS[COMP_CWORD]} line=\${COMP_LINE:0:COMP_POINT} head value
  # Outside of quotes bash ends words at = and :, too, and replaces only what comes after the last of them.
  head=\${line##*[[:space:]]}
  while [[ -n $head && $COMP_WORDBREAKS != *"\${head: -1}"* ]]; do head=\${head%?}; done
  [[ $cur == [\\"\\']* ]] && head=
  [[ $cur == [=:@] ]] && cur=
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    case $value in
      :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
      :directories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    esac
    COMPREPLY+=("\${value#"$head"}")
  done < <("$1" completion candidates --line "$line" 2>/dev/null)
  [[ \${COMPREPLY[0]-} == *= ]] && compopt -o nospace
  return 0
}
complete -F _muster muster
`,
  zsh: `#compdef muster
# zsh completion for muster
_muster() {
  local -a values shown
  local value about
  while IFS=$'\\t' read -r value about; do
    case $value in
      :files) [[ $PREFIX == --*=* ]] && compset -P '*='; _files; return ;;
      :directories) [[ $PREFIX == --*=* ]] && compset -P '*='; _files -/; return ;;
    esac
    values+=("$value")
    shown+=("$value\${about:+  -- $about}")
  done < <("\${(Q)words[1]}" completion candidates -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)
  if [[ \${values[1]} == *= ]]; then compadd -S '' -l -d shown -a values; else compadd -l -d shown -a values; fi
}
if [[ \${funcstack[1]} == _muster ]]; then _muster "$@"; else compdef _muster muster; fi
`,
  fish: `# fish completion for muster
function __muster_candidates
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -e words[1]
    for line in (muster completion candidates -- $words "$word" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$word"
            case :directories
                __fish_complete_directories "$word"
            case '*'
                echo $line
        end
    end
end
complete -c muster -f -a '(__muster_candidates)'
`,
} as const;
