# SPDX-License-Identifier: BSD-2-Clause
# Completion of movedctl for bash: what may come next is asked of "movedctl __complete".

_movedctl() {
    local rest=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[^:=]/} words=() last word tail i

    # Bash ends a word at '@', ':' and '=' too. Here only a blank does.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        [[ $i -gt 0 && $rest != [[:blank:]]* ]] || words+=("")
        rest=${rest#"${rest%%[![:blank:]]*}"}
        word=${COMP_WORDS[i]}
        ((i < COMP_CWORD)) || word=$rest # up to the cursor
        words[${#words[@]} - 1]+=$word
        rest=${rest:${#word}}
    done
    last=${words[${#words[@]} - 1]}

    mapfile -t COMPREPLY < <("$1" __complete "${words[@]:1}" 2>/dev/null)
    case ${COMPREPLY[0]-} in
    :file)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "${last#--*=}")
        ;;
    :dir)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "${last#--*=}")
        ;;
    *)
        # Bash replaces what stands behind the last ':' or '=', and an '@' with what stands behind it.
        tail=$last
        [[ -z $breaks ]] || tail=${tail##*["$breaks"]}
        [[ $COMP_WORDBREAKS != *@* || $tail != *@* ]] || tail=@${tail##*@}
        for i in "${!COMPREPLY[@]}"; do
            word=${COMPREPLY[i]%%$'\t'*}
            printf -v "COMPREPLY[i]" %q "${word:${#last} - ${#tail}}"
        done
        ;;
    esac
}
complete -F _movedctl movedctl
