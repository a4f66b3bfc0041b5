#!/bin/sh
# The negative twins of blocks.sh and links.sh: pages with one mistake each, which they must report. usage: check_the_checker.sh WORK
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?usage: check_the_checker.sh WORK}
mkdir -p "$work"
failed=0

# page STATUS MESSAGE TEXT: blocks.sh must end with that status and say the message
page() {
    printf '%b\n' "$3" >"$work/page.md"
    said=$(sh "$here/blocks.sh" "$work/blocks" "$work/page.md" 2>&1)
    status=$?
    case "$status $said" in
    "$1 "*"$2"*) ;;
    *)
        echo "expected status $1 and '$2', but $status: $said"
        failed=$((failed + 1))
        ;;
    esac
}

hello='#include <stdio.h>\nint main(void)\n{\n    puts("one");\n}\n```'
page 0 '1 blocks' 'Text.\n\n```c\n'"$hello"
page 0 '1 blocks' '```c\n'"$hello"'\n\n<!-- prints -->\n```\none\n```'
page 1 'something else' '```c\n'"$hello"'\n\n<!-- prints -->\n```\ntwo\n```'
page 1 'page.md:3: this program does not compile' '\n\n```c\nint main(void)\n{\n    return x;\n}\n```'
page 1 'page.md:4:' '```c\nint main(void)\n{\n    int unused = x;\n}\n```'
page 1 'ends with status 3' '```c\nint main(void)\n{\n    return 3;\n}\n```'
page 0 '1 blocks' '<!-- not run: it fails -->\n```c\nint main(void)\n{\n    return 3;\n}\n```'
page 1 'does not compile in' '```c\nint f(void) { return x; }\n```'
page 0 '1 of them not compiled' '<!-- not compiled: it is pseudo code -->\n```c\nfor all x\n```'
page 1 'not one that' '<!-- not compiled -->\n```c\nfor all x\n```'
page 1 'no context nowhere' '<!-- context: nowhere -->\n```c\nint x;\n```'
page 0 '0 blocks' '```sh\nint main(void)\n```'

# link STATUS MESSAGE TEXT: the same with links.sh
link() {
    printf '%b\n' "$3" >"$work/page.md"
    said=$(sh "$here/links.sh" "$work/page.md" 2>&1)
    status=$?
    case "$status $said" in
    "$1 "*"$2"*) ;;
    *)
        echo "expected status $1 and '$2', but $status: $said"
        failed=$((failed + 1))
        ;;
    esac
}

link 0 '' '# A title: 2\n[a](page.md), [b](#a-title-2), [c](page.md#a-title-2), [d](https://nowhere)'
link 1 'nowhere.md: there is no such file' '[a](nowhere.md)'
link 1 '#b: there is no such heading' '# A\n[b](#b)'

[ "$failed" -eq 0 ] || { echo "$failed expectations failed"; exit 1; }
echo "every mistake was found"
