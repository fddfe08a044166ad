#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Each floor of prmem/ links with those below it, with xarray/ and with common/,
# and needs nothing of those above.  tests/walls/includes.sh has them as rows.
. "${top_srcdir:?}/tests/walls/functions.sh"
need nm binutils
cd "$top_builddir" || exit 1

# below FLOOR - what it may call, the nearest first.
below() {
	case $1 in
	memory) ;;
	core) echo memory ;;
	alloc) echo core memory ;;
	object) echo alloc core memory ;;
	instance) echo object alloc core memory ;;
	disk | check) echo instance object alloc core memory ;;
	pool) echo check disk instance object alloc core memory ;;
	esac
}
floors='memory core alloc object instance disk check pool'

# What a floor gives the others.
for floor in $floors; do
	[ -e ".libs/libfloor_$floor.a" ] || skip "no libfloor_$floor.a in the build tree"
	nm -P --defined-only -g ".libs/libfloor_$floor.a" 2>/dev/null | awk 'NF >= 2 && $2 ~ /^[A-Z]$/ { print $1 }' |
		sort -u >"$tmp/$floor.gives"
	[ "$(wc -l <"$tmp/$floor.gives")" -ge 3 ] || wrong "only $(wc -l <"$tmp/$floor.gives") symbols found in libfloor_$floor.a"
done
[ "$(find "$top_srcdir/prmem" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | grep -vx format | sort | tr '\n' ' ')" = \
	"$(tr ' ' '\n' <<<"$floors" | sort | tr '\n' ' ')" ] || wrong "the folders of prmem/ are not the floors that the test knows"

# foreign FLOOR OBJECT... - "SYMBOL (FLOOR)" for each symbol that the objects need of a floor that theirs must not know.
foreign() {
	local floor=$1 other
	shift
	nm -P -u "$@" 2>/dev/null | awk '$2 == "U" { print $1 }' | sort -u >"$tmp/needs"
	for other in $floors; do
		case " $floor $(below "$floor") " in
		*" $other "*) ;;
		*) comm -12 "$tmp/needs" "$tmp/$other.gives" | sed "s/\$/ ($other)/" ;;
		esac
	done
}

# link FLOOR FUNCTION - link a program that calls a function with a floor and those below it.
link() {
	printf 'void %s(void);\nint main(void)\n{\n\t%s();\n\treturn 0;\n}\n' "$2" "$2" >"$tmp/user.c"
	local libs=()
	for floor in $1 $(below "$1"); do
		libs+=("libfloor_$floor.la")
	done
	# shellcheck disable=SC2086 # CC and flags are words
	(
		$CC -fno-builtin $SANITIZE_CFLAGS -c -o "$tmp/user.o" "$tmp/user.c" &&
			./libtool --quiet --tag=CC --mode=link $CC $SANITIZE_CFLAGS -o "$tmp/user" "$tmp/user.o" \
				"${libs[@]}" libxarray.la libcommon.la
	) >"$tmp/link.log" 2>&1
}

# planted FLOOR FUNCTION - a call of a function that a floor must not know is seen, and does not link.
planted() {
	printf 'void %s(void);\nvoid planted(void);\nvoid planted(void)\n{\n\t%s();\n}\n' "$2" "$2" >"$tmp/planted.c"
	# shellcheck disable=SC2086 # CC may hold flags
	$CC -c -o "$tmp/planted.o" "$tmp/planted.c"
	foreign "$1" ".libs/libfloor_$1.a" "$tmp/planted.o" | grep -q "^$2 (" ||
		wrong "a call of $2() was planted in $1/, and it was not seen"
	if link "$1" "$2"; then
		wrong "a call of $2() links with $1/ and what is below it: the wall is gone"
	elif ! grep -q "$2" "$tmp/link.log"; then
		wrong "the link with $2() failed, but not for its sake: $(cat "$tmp/link.log")"
	fi
}

for floor in $floors; do
	found=$(foreign "$floor" ".libs/libfloor_$floor.a")
	[ -z "$found" ] || wrong "prmem/$floor/ needs what it must not know: $found"
done
# One function of each floor links with it and those below: what the test plants fails for its own sake.
link memory backing_open || wrong "memory/ does not link: $(cat "$tmp/link.log")"
link core guard_add || wrong "core/ does not link: $(cat "$tmp/link.log")"
link alloc page_take || wrong "alloc/ does not link: $(cat "$tmp/link.log")"
link object object_find || wrong "object/ does not link: $(cat "$tmp/link.log")"
link instance prmem_get || wrong "instance/ does not link: $(cat "$tmp/link.log")"
link disk prmem_disk_write || wrong "disk/ does not link: $(cat "$tmp/link.log")"
link check prmem_repair || wrong "check/ does not link: $(cat "$tmp/link.log")"
link pool prmem_open || wrong "pool/ does not link: $(cat "$tmp/link.log")"
planted memory guard_add
planted core page_take
planted alloc buffer_take
planted object instance_new
planted instance prmem_disk_open
planted disk check_begin
planted disk pool_recover
planted check prmem_disk_read
planted check prmem_open
exit $errors
