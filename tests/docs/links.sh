#!/bin/sh
# Every relative link of Markdown files leads to a file, and to a heading of it. usage: links.sh FILE...
set -u
# The name that a heading is linked by: small letters, digits, hyphens.
headings() { # FILE
    awk '/^```/ { code = !code } /^#+ / && !code { sub(/^#+ /, ""); print }' "$1" |
        tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-'
}
bad=$(
    for page; do
        folder=$(dirname "$page")
        awk '/^```/ { code = !code } !code' "$page" | grep -o '\](\([^)]*\))' | sed 's/^](//; s/)$//' | grep -v '^https*:' |
            while read -r link; do
                file=${link%%#*} heading=
                case $link in *'#'*) heading=${link#*#} ;; esac
                target=${file:+$folder/$file}
                target=${target:-$page}
                if [ ! -e "$target" ]; then
                    echo "$page: $link: there is no such file"
                elif [ -n "$heading" ] && ! headings "$target" | grep -qx -- "$heading"; then
                    echo "$page: $link: there is no such heading"
                fi
            done
    done
)
[ -z "$bad" ] && exit 0
echo "$bad"
exit 1
