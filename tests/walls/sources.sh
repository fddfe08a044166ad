#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Habits of the sources: a licence line, a size that can be read, a guard.
. "${top_srcdir:?}/tests/walls/functions.sh"
cd "$top_srcdir" || exit 1

sources() {
	find .ci common xarray prmem control plugin tools examples scripts man tests Makefile.am configure.ac -type f 2>/dev/null |
		grep -E '\.([chm]|sh|ac|am|pod|py|syms)$|/(serve|test|run|prmem-[a-z]+)$' |
		grep -vE '\.(syms|pod)$|/build' | sort
}

while IFS= read -r f; do
	head -n 4 "$f" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' || wrong "$f: no SPDX line at its head"
	nr=$(wc -l <"$f")
	[ "$nr" -le 800 ] || wrong "$f: $nr lines; split it, 800 is the limit"
	case $f in
	*_format.h)
		# Every struct of media has its size and all offsets nailed down.
		while IFS= read -r s; do
			grep -q "static_assert(sizeof(struct $s) " "$f" || wrong "$f: no static_assert on the size of struct $s"
			fields=$(awk -v s="$s" '$0 == "struct " s " {" { on = 1; next } on && /^};/ { exit }
				on && match($0, /[a-z0-9_]+(\[[^]]*\])?;/) { n = substr($0, RSTART, RLENGTH); sub(/[[;].*/, "", n); print n }' "$f")
			for field in $fields; do
				grep -q "static_assert(offsetof(struct $s, $field) " "$f" ||
					wrong "$f: no static_assert on the offset of $field in struct $s"
			done
		done < <(sed -n 's/^struct \([a-z_]*_media\) {$/\1/p' "$f")
		;;
	esac
	case $f in
	*.h) grep -qE '^#ifndef [A-Z0-9_]+_H$' "$f" || wrong "$f: no include guard" ;;
	esac
	# What is not listed is neither built nor shipped.
	case $f in
	*/Makemodule.am | *.am | configure.ac | .ci/run) ;;
	*) cat "$(dirname "$f")"/*.am Makefile.am "${f%%/*}"/Makemodule.am 2>/dev/null | grep -qF "/${f##*/}" || wrong "$f: not in the Makefile" ;;
	esac
done < <(sources)
[ "$(sources | wc -l)" -ge 40 ] || wrong "only $(sources | wc -l) sources found: the test looks in the wrong place"
exit $errors
