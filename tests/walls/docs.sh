#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The manual, the help text and the code know the same parameters, and the
# manual pages are well-formed.
. "${top_srcdir:?}/tests/walls/functions.sh"

need podchecker perl
for pod in "$top_srcdir"/man/*.pod; do
	podchecker "$pod" >"$tmp/pod.log" 2>&1 || wrong "$(cat "$tmp/pod.log")"
	grep -q WARNING "$tmp/pod.log" && wrong "$(cat "$tmp/pod.log")"
done

# The plugin: the table in params.h is what is parsed and what --help prints.
pod=$top_srcdir/man/nbdkit-prmem-plugin.pod
sed -nE 's/^[[:space:]]*X\([a-z_]+, "([a-z-]+)", .*/\1/p' "$top_srcdir/plugin/params.h" | sort >"$tmp/code"
[ -s "$tmp/code" ] || wrong "no parameters found in plugin/params.h"
if [ -e "$pod" ]; then
	sed -nE '/^=head1 PARAMETERS/,/^=head1 [^P]/s/^=item (\[B<[a-z-]+=>\]|B<([a-z-]+)=>).*/\1/p' "$pod" |
		sed -E 's/[][B<=>]//g' | sort -u >"$tmp/manual"
	cmp -s "$tmp/code" "$tmp/manual" || wrong "parameters in code (<) and manual (>): $(diff "$tmp/code" "$tmp/manual")"
else
	wrong "no man/nbdkit-prmem-plugin.pod"
fi
if command -v nbdkit >/dev/null; then
	nbdkit "$PRMEM_PLUGIN" --help >"$tmp/help.out" 2>&1 || wrong "nbdkit prmem --help fails: $(cat "$tmp/help.out")"
	grep -oE '^ *\[?[a-z][a-z-]+=' "$tmp/help.out" | tr -d ' [=' | sort -u >"$tmp/help"
	cmp -s "$tmp/code" "$tmp/help" || wrong "parameters in code (<) and --help (>): $(diff "$tmp/code" "$tmp/help")"
fi

# Each installed tool explains itself, and its manual has each long option.
for tool in prmemctl prmem-nbd; do
	program=$(find "$top_builddir" -name .libs -prune -o -type f -name "$tool" -perm -u+x -print | head -n 1)
	[ -n "$program" ] || continue
	[ -e "$top_srcdir/man/$tool.pod" ] || { wrong "no man/$tool.pod"; continue; }
	"$program" --help >"$tmp/help.out" 2>&1 || wrong "$tool --help fails"
	grep -oE -- '--[a-z][a-z-]+' "$tmp/help.out" | sort -u >"$tmp/options"
	[ -s "$tmp/options" ] || wrong "$tool --help shows no option"
	while IFS= read -r option; do
		grep -qF -- "$option" "$top_srcdir/man/$tool.pod" || wrong "man/$tool.pod does not have $option"
	done <"$tmp/options"
done

# The format's manual says which test shows which promise: all of them, by tests that there are.
pod=$top_srcdir/man/prmem-format.pod
for promise in P1 P2 P3 P4 P5 P6 P7 P8; do
	sed -n '/^=head1 WHICH TEST SHOWS IT/,/^=head1 WHAT/p' "$pod" | sed -n "/^=item $promise\$/,/^=item/p" |
		grep -q 'F<tests/' || wrong "man/prmem-format.pod names no test for promise $promise"
done
grep -oE 'F<tests/[^>]*>' "$pod" | sed -E 's/F<(.*)>/\1/' | sort -u | while IFS= read -r f; do
	[ -e "$top_srcdir/$f" ] || echo "man/prmem-format.pod names $f, which there is not"
done >"$tmp/tests"
[ ! -s "$tmp/tests" ] || wrong "$(cat "$tmp/tests")"

# Public functions are in the library's manual.
pod=$top_srcdir/man/libprmem.pod
if [ -e "$pod" ]; then
	grep -ohE '\b(prmem|xa)_[a-z0-9_]+\(' "$top_srcdir/prmem/prmem.h" "$top_srcdir/xarray/xarray.h" | tr -d '(' | sort -u |
		while IFS= read -r f; do
			grep -qw "$f" "$pod" || echo "man/libprmem.pod does not have $f()"
		done >"$tmp/undocumented"
	[ ! -s "$tmp/undocumented" ] || wrong "$(cat "$tmp/undocumented")"
fi
# The example in it compiles, runs, and counts its runs.
sed -n '/^=head1 EXAMPLE/,/^=head1 NOTES/s/^ //p' "$pod" | sed "s|/var/tmp/counters|$tmp/counters|" >"$tmp/example.c"
# shellcheck disable=SC2086 # flags are words
if (
	cd "$top_builddir" &&
		$CC $SANITIZE_CFLAGS -Wall -Wextra -Werror -I"$top_srcdir/prmem" -I"$top_srcdir/xarray" -c -o "$tmp/example.o" "$tmp/example.c" &&
		./libtool --quiet --tag=CC --mode=link $CC $SANITIZE_CFLAGS -o "$tmp/example" "$tmp/example.o" libprmem.la
) >"$tmp/example.log" 2>&1; then
	"$tmp/example" >/dev/null 2>&1 || wrong "the example of libprmem(3) fails"
	[ "$("$tmp/example" 2>&1)" = 'run 2' ] || wrong "the example of libprmem(3) does not say \"run 2\" when it runs again"
else
	wrong "the example of libprmem(3) does not compile: $(cat "$tmp/example.log")"
fi
exit $errors
