#!/bin/sh
# Makes the reference without a warning. usage: reference.sh ROOT WORK DOXYGEN
set -eu
cd "$1"
mkdir -p "$2"
{ cat cmake/doxygen/Doxyfile; echo "OUTPUT_DIRECTORY = $2"; } | "$3" -
[ -s "$2/html/structyoke__options.html" ] || { echo "options of a call are not in the reference"; exit 1; }
