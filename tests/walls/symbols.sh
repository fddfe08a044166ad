#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What the plugin and the library show to the world is exactly what they mean to.
. "${top_srcdir:?}/tests/walls/functions.sh"
need nm binutils

exported() {
	nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u
}

# plugin_leaks FILE - what a plugin shows and should not.
plugin_leaks() {
	exported "$1" | grep -vE '^(plugin_init|prmem_debug_[a-z0-9_]+)$'
}

plugin=$top_builddir/.libs/nbdkit-prmem-plugin.so
library=$top_builddir/.libs/libprmem.so
[ -e "$plugin" ] || wrong "no $plugin"
[ -e "$library" ] || wrong "no $library"
leaks=$(plugin_leaks "$plugin")
[ -z "$leaks" ] || wrong "the plugin exports:
$leaks"
exported "$plugin" | grep -qx plugin_init || wrong "the plugin does not export plugin_init"

# Functions that the public headers declare, after the preprocessor.
printf '#include <prmem.h>\n#include <xarray.h>\n' >"$tmp/user.c"
# shellcheck disable=SC2086 # CC may hold flags
$CC -E -P -I"$top_srcdir/prmem" -I"$top_srcdir/xarray" "$tmp/user.c" |
	grep -oE '\b(prmem|xa)_[a-z0-9_]+[[:space:]]*\(' | tr -d '( \t' | sort -u >"$tmp/declared"
exported "$library" >"$tmp/exported"
diff=$(diff "$tmp/declared" "$tmp/exported" | sed -n 's/^< \(.*\)/declared, not exported: \1/p; s/^> \(.*\)/exported, not declared: \1/p')
[ -z "$diff" ] || wrong "libprmem.so and its headers differ:
$diff"

# The version script lists just these, each once, without a pattern.
listed() { # VERSION-SCRIPT
	sed '/^\/\*/,/\*\//d' "$1" | sed -n '/global:/,/local:/s/^[[:space:]]*\([^[:space:]:]*\);$/\1/p' | sort
}
unlisted() { # VERSION-SCRIPT
	diff "$tmp/declared" <(listed "$1") |
		sed -n 's/^< \(.*\)/declared, not in the version script: \1/p; s/^> \(.*\)/in the version script, not declared: \1/p'
}
syms=$top_srcdir/prmem/libprmem.syms
diff=$(unlisted "$syms")
[ -z "$diff" ] || wrong "prmem/libprmem.syms and the headers differ:
$diff"
for edit in '/^\t\txa_load;/d' '/^\t\txa_load;/s//&\n&/' '/^\t\txa_load;/s//\t\txa_*;/' '/^\t\txa_load;/s//&\n\t\txa_planted;/'; do
	sed "$edit" "$syms" >"$tmp/edited.syms"
	[ -n "$(unlisted "$tmp/edited.syms")" ] || wrong "a version script changed by $edit was not seen"
done
# A symbol is of the version that has it first.
nm -D --defined-only --with-symbol-versions "$library" | awk '$2 == "T" && $3 !~ /@@?PRMEM_[0-9]+\.[0-9]+$/ { print $3 }' >"$tmp/unversioned"
[ ! -s "$tmp/unversioned" ] || wrong "symbols without a version: $(cat "$tmp/unversioned")"
[ "$(wc -l <"$tmp/declared")" -ge 40 ] || wrong "only $(wc -l <"$tmp/declared") functions found in the headers: the test reads them wrongly"

# Each of them is called by a unit test.
untested() {
	while read -r f; do
		grep -rqw "$f" "$1" || echo "$f"
	done <"$tmp/declared"
}
none=$(untested "$top_srcdir/tests/unit")
[ -z "$none" ] || wrong "no unit test calls:
$none"
mkdir "$tmp/unit"
grep -vx xa_load "$tmp/declared" >"$tmp/unit/calls"
[ "$(untested "$tmp/unit")" = xa_load ] || wrong "a function without a unit test was not seen"

# A leak is seen.
printf 'void plugin_init(void);\nvoid plugin_init(void) {}\nvoid xa_load(void);\nvoid xa_load(void) {}\n' >"$tmp/leaky.c"
# shellcheck disable=SC2086 # CC may hold flags
$CC -shared -fPIC -o "$tmp/leaky.so" "$tmp/leaky.c"
[ "$(plugin_leaks "$tmp/leaky.so")" = xa_load ] || wrong "a plugin that shows xa_load was not seen"
exit $errors
