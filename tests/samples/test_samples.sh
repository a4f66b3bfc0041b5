#!/bin/sh
# Runs every sample on good and on bad input, and looks at exit statuses, messages and results.
# usage: test_samples.sh FOLDER-OF-SAMPLES MAKE_PNG QUOTES.csv [EMULATOR]; exit 77 where a sample was not built
set -u
samples=$1 make_png=$2 quotes=$3 emulator=${4:-}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

wrong() {
    failures=$((failures + 1))
    echo "FAILED: $*"
    sed 's/^/    /' out err | head -n 5
}

run() { # sample arguments: its exit status, output in ./out and ./err
    program=$1
    shift
    # shellcheck disable=SC2086 # an emulator may have options
    timeout 300 $emulator "$samples/$program" "$@" >out 2>err
}

ends() { # status text sample arguments: it ends so, and says the text, a basic regular expression
    want=$1 text=$2
    shift 2
    run "$@"
    got=$?
    [ "$got" = "$want" ] || { wrong "$* ended with $got, not $want"; return; }
    [ -z "$text" ] || cat out err | grep -q -e "$text" || wrong "$* did not say \"$text\""
}

same() { cmp -s "$1" "$2" || wrong "$1 and $2 differ"; }

for name in square saxpy options mandelbrot coexec blur heat nbody numa residency threads letters executors pool processes legacy \
    crash shared overlap demo; do
    [ -x "$samples/$name" ] || { echo "sample $name was not built"; exit 77; }
done
mkdir png
$emulator "$make_png" png || exit 1

# --- arguments ---
for name in saxpy options mandelbrot coexec blur heat nbody numa residency threads letters executors pool processes legacy crash \
    shared overlap demo; do
    ends 0 "usage: $name" $name --help
done
ends 2 'usage: saxpy' saxpy 1 2 3
ends 2 'usage: options' options only_one.csv
ends 2 'usage: mandelbrot' mandelbrot
ends 2 'usage: blur' blur in.png
ends 2 'usage: heat' heat
for number in 0 -5 abc '' 5x 99999999999999999999 1.5; do
    ends 1 'give a whole number from' saxpy "$number"
    ends 1 'width is' mandelbrot out.png "$number"
    ends 1 'size is' heat out.png "$number"
    ends 1 'bodies is' nbody "$number"
    ends 1 'n is' numa "$number"
done
ends 1 'radius is "-1"' blur png/rgb8.png out.png -1
ends 1 'radius is "100000"' blur png/rgb8.png out.png 100000
[ ! -e out.png ] || wrong "a refused argument left a picture behind"

# --- results ---
ends 0 '^5 squared is 25$' square
[ "$(grep -c squared out)" = 5 ] || wrong "square printed other than five lines"
ends 0 '1000 numbers' saxpy 1000
ends 0 '' mandelbrot m1.png 70 50 100
YOKE_ISA=baseline YOKE_WORKERS=3 run mandelbrot m2.png 70 50 100 || wrong "mandelbrot with three workers"
same m1.png m2.png
YOKE_DEVICES=cpu run coexec c1.png 70 50 100 || wrong "coexec without devices"
same m1.png c1.png
ends 0 '' heat heat.png 65 20
ends 0 '' heat heat.png 3 0
ends 0 'energy' nbody 130 3
ends 0 '^100003 numbers.*NUMA nodes: [1-9]' numa 100003
for row in default partition interleave local 'last node'; do
    grep -q "^$row  *[0-9.]* " out || wrong "numa printed no row for $row"
done
ends 0 '^all three are done$' threads
for name in A B C; do
    [ "$(sed -n "s/^Thread $name: //p" out | tr '\n' ' ')" = '1 2 3 4 5 ' ] || wrong "threads: Thread $name"
done
ends 0 '^both are done$' letters
[ "$(sed -n 's/^number //p' out | tr -d '\n')$(sed -n 's/^letter //p' out | tr -d '\n')" = 12345ABCDE ] || wrong letters
ends 0 '^submit: the sum is 30$' executors
for line in 'submit: 3 squared is 9' 'map: 0 1 4 9 16' 'map: abcde'; do
    grep -qx "$line" out || wrong "executors did not print $line"
done
ends 0 '^map: 1 4 9 16 25$' pool
grep -qx 'apply_async: 100' out || wrong "pool did not print apply_async"
ends 0 '^both are done: they printed 5 and 5 lines, and this process 0$' processes
[ "$(sed -n 's/^number //p' out | tr -d '\n')$(sed -n 's/^letter //p' out | tr -d '\n')" = 12345ABCDE ] || wrong processes
ends 0 '^roots: 2 3 4 5 6 7 8 9$' legacy
ends 0 '^all are done$' crash
grep -q '^"": .*plug-in, .*signal 11' out || wrong "crash did not tell of the signal"
for line in '"queue" has 4 vowels' '"rhythm" has 0 vowels' '"banana" has 3 vowels' '"loop" has 2 vowels'; do
    grep -qx "$line" out || wrong "crash did not print $line"
done
ends 0 '^the array is smooth: 0.000 0.500 0.250 0.625 ... 0.667$' shared
ends 0 '^saved: ' overlap
grep -q '^overlapped: [0-9]* ms$' out || wrong "overlap printed no time"
if [ -x "$samples/async" ]; then # needs libuv
    ends 0 'usage: async' async --help
    ends 0 '^both slept for 0.21 s in [0-9.]* s$' async
    for name in tortoise hare; do
        [ "$(sed -n "s/^$name[: ]*//p" out | tr '\n' ' ')" = '1 2 3 is done ' ] || wrong "async: $name"
    done
    [ "$(sed -n 's/ is done//p' out | head -n 1)" = hare ] || wrong "async: the tortoise won"
fi
ends 1 'cannot be written' mandelbrot /nowhere/out.png 5 5
[ ! -e /dev/full ] || ends 1 'cannot be written' mandelbrot /dev/full 300 300

# --- pictures ---
ends 0 '8 x 8 pixels' blur png/rgb8.png white.png 3
for kind in rgb16 grey1 grey4 grey16 palette1 palette8 grey_alpha8 rgba16 interlaced; do
    ends 0 '8 x 8 pixels' blur png/$kind.png $kind.png 3
    same white.png $kind.png
done
for bad in no_pixels gigantic too_many negative depth3 too_short wrong_sum no_palette cut signature_only; do
    ends 1 "png/$bad.png cannot be read: ." blur png/$bad.png bad.png
done
: >empty.png
head -c 4 png/rgb8.png >four_bytes.png
echo 'no picture at all, but long enough' >text.png
for bad in empty four_bytes text; do
    ends 1 "$bad.png is not a PNG" blur $bad.png bad.png
done
size=$(wc -c <png/rgb8.png)
for cut in 9 20 33 40 60 100 $((size - 20)) $((size - 13)); do
    head -c "$cut" png/rgb8.png >cut.png
    ends 1 'cut.png cannot be read' blur cut.png bad.png
done
ends 1 'cannot be opened' blur nowhere.png bad.png
ends 1 'is not a PNG' blur . bad.png
[ ! -e bad.png ] || wrong "a bad picture left another behind"
ends 1 'empty.png is not a PNG' demo empty.png out
ends 1 'cannot be made' demo png/rgb8.png /dev/null/out

# --- options ---
header=spot,strike,days,rate,volatility
ends 0 '^140 rows priced, 0 left out$' options "$quotes" priced.csv
[ "$(wc -l <priced.csv)" = 141 ] || wrong "priced.csv has other than 141 lines"
printf '%s\n' $header 100,100,365,0.05,0.2 >textbook.csv
ends 0 '1 rows priced' options textbook.csv priced.csv
tail -n 1 priced.csv | grep -q '^100,100,365,0.05,0.2,10.450[4-8],5.573[3-7]$' || wrong "$(tail -n 1 priced.csv)"
printf '\357\273\277"note",volatility,days,strike,rate,spot\r\n"a, ""b""",0.2,365,100,0.05,100\r\n\r\n' >windows.csv
ends 0 '1 rows priced' options windows.csv priced.csv
tail -n 1 priced.csv | grep -q '^"a, ""b""",0.2,.*,10.450[4-8],5.573[3-7]$' || wrong "$(tail -n 1 priced.csv)"

# shellcheck disable=SC2059 # the row is a format: \000 is a byte
bad_row() { # text row-format: refused by line number, left out or the end of it
    printf "$header\n100,100,365,0.05,0.2\n$2\n100,90,365,0.05,0.2" >rows.csv
    rm -f priced.csv
    ends 0 "rows.csv:3: .*$1.*; left out" options rows.csv priced.csv
    grep -q '^2 rows priced, 1 left out$' out || wrong "row $2: $(cat out)"
    rm -f priced.csv
    ends 1 "rows.csv:3: .*$1" options --strict rows.csv priced.csv
    [ ! -e priced.csv ] || wrong "--strict left a file behind"
}
bad_row 'strike "abc" is not a number' 100,abc,365,0.05,0.2
bad_row 'spot "" is not a number' ,100,365,0.05,0.2
bad_row 'is not a number' 100,100,365,0.05,0.2x
bad_row 'is not a number' nan,100,365,0.05,0.2
bad_row 'is not a number' 0x64,100,365,0.05,0.2
bad_row 'is not a number' inf,100,365,0.05,0.2
bad_row 'spot "1e999" is out of range' 1e999,100,365,0.05,0.2
bad_row 'days "0" is out of range' 100,100,0,0.05,0.2
bad_row 'volatility "-0.2" is out of range' 100,100,365,0.05,-0.2
bad_row 'has 4 fields, not 5' 100,100,365,0.05
bad_row 'has 6 fields, not 5' 100,100,365,0.05,0.2,
bad_row 'a quote is not closed' '"100,100,365,0.05,0.2'
bad_row 'zero byte' '100,100,365,0.05,0.2\000'
long=$(head -c 100000 /dev/zero | tr '\0' ,)
bad_row 'fields, not 5' "$long"

: >empty.csv
ends 1 'empty.csv is empty' options empty.csv priced.csv
printf 'spot,strike,days,rate\n' >lacking.csv
ends 1 'no column "volatility"' options lacking.csv priced.csv
printf '%s\n' $header >no_rows.csv
ends 0 '^0 rows priced, 0 left out$' options no_rows.csv priced.csv
ends 1 'cannot be opened' options nowhere.csv priced.csv
ends 1 'cannot be read' options . priced.csv
ends 1 'cannot be written' options textbook.csv /nowhere/priced.csv
[ ! -e /dev/full ] || ends 1 'cannot be written' options textbook.csv /dev/full

[ "$failures" = 0 ] && echo "all samples behave"
[ "$failures" = 0 ]
