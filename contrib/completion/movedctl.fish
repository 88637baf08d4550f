# SPDX-License-Identifier: BSD-2-Clause
# Completion of movedctl for fish: what may come next is asked of "movedctl __complete".

function __movedctl_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l lines ($words[1] __complete $words[2..-1] "$last" 2>/dev/null)
    set -l before (string match -r '^--[^=]*=' -- "$last")
    switch "$lines[1]"
        case :file
            __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$last") | string replace -r '^' -- "$before"
        case :dir
            __fish_complete_directories (string replace -r '^--[^=]*=' '' -- "$last") '' | string replace -r '^' -- "$before"
        case '*'
            printf '%s\n' $lines
    end
end
complete -c movedctl -f -a '(__movedctl_complete)'
