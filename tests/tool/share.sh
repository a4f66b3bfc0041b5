#!/usr/bin/env bash
# The man page formats without a complaint and names every command and option; the completion offers them.
# usage: share.sh YOKE FOLDER-OF-SHARE
set -uo pipefail
yoke=$1 share=$2 failed=0
complain() { echo "$*"; failed=1; }

commands=$("$yoke" --help | awk '/^  [a-z]/ { print $1 }')
[ "$(echo "$commands" | wc -w)" -ge 8 ] || complain "commands are missing: $commands"
page=$(sed 's/\\-/-/g; s/\\f[A-Z]//g' "$share/yoke.1")
source "$share/yoke.bash"
complete_with() { # words before the one to complete, which is empty
    COMP_WORDS=("$@" "") COMP_CWORD=$# COMPREPLY=()
    _yoke 2>/dev/null
    echo " ${COMPREPLY[*]} "
}
first=$(complete_with yoke)
for command in $commands; do
    grep -qw "$command" <<<"$page" || complain "the man page lacks $command"
    [[ $first == *" $command "* ]] || complain "the completion lacks $command"
    offered=$(complete_with yoke "$command")
    for option in $("$yoke" "$command" --help | grep -oE '^  -{1,2}[a-z][a-z-]*' | sort -u); do
        grep -q -- "$option" <<<"$page" || complain "the man page lacks $command $option"
        [[ $offered == *" $option "* ]] || complain "the completion lacks $command $option"
    done
done
[[ $(complete_with yoke run --pin) == *" scatter "* ]] || complain "no policies are offered after --pin"
if command -v man >/dev/null && command -v groff >/dev/null; then
    said=$(LC_ALL=C MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$share/yoke.1" 2>&1 >/dev/null)
    [ -z "$said" ] || complain "$said"
else
    echo "SKIP: there is no man to format the page"
fi
[ "$failed" = 0 ] && echo "man page and completion know all $(echo "$commands" | wc -w) commands"
exit "$failed"
