#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# In no room do files use each other in a circle: each can be read, and
# tested, after those below it.  NAME.c and NAME.h are one file here.  One file
# uses another when it includes its header, or names a symbol that it defines.
. "${top_srcdir:?}/tests/walls/functions.sh"
need nm binutils
need tsort coreutils

rooms='common xarray prmem control plugin tools/prmem-nbd tools/prmemctl examples'
# These have circles still.
unclean='xarray'

# objects SRC BUILD ROOM - print "OBJECT FILE" for each object file of a room.
# Automake puts the name of what is built before that of the source.
objects() {
	local c name found
	while IFS= read -r c; do
		name=$(basename "$c" .c)
		found=$(find "$2/$(dirname "$c")" -maxdepth 2 \( -name "$name.o" -o -name "*-$name.o" \) 2>/dev/null | head -n 1)
		[ -z "$found" ] || printf '%s %s\n' "$found" "${c%.c}"
	done < <(cd "$1" && find "$3" -name '*.c' | sort)
}

# edges SRC BUILD ROOM - print "USER USED" for each pair of files of a room.
edges() {
	(
		cd "$1" || exit 1
		find "$3" -name '*.[ch]' -exec sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]*)".*/\1/p;ta;d;:a;F' {} + |
			awk 'NR % 2 { used = $0; next } { sub(/^\.\//, ""); print $0, used }'
	) | sed -E 's/\.[ch]( |$)/\1/g' | awk -v room="$3/" 'index($2, room) == 1'
	# Which file an object belongs to comes first, then what is in it.
	objects "$1" "$2" "$3" >"$tmp/objects"
	[ -s "$tmp/objects" ] || return 0
	# shellcheck disable=SC2046 # names of objects are words
	nm -A -P $(cut -d ' ' -f 1 "$tmp/objects") 2>/dev/null | awk -v list="$tmp/objects" '
		BEGIN { while ((getline < list) > 0) file[$1] = $2 }
		{
			at = $1
			sub(/(\[.*\])?:$/, "", at)
			if ($3 == "U")
				uses[file[at] " " $2]
			else if ($3 ~ /^[A-Z]$/)
				definer[$2] = file[at]
		}
		END {
			for (u in uses) {
				split(u, part, " ")
				if (part[2] in definer)
					print part[1], definer[part[2]]
			}
		}'
}

# circle - read edges, print the files of one circle, or nothing.
circle() {
	awk '$1 != $2' | sort -u | tsort 2>&1 >/dev/null | sed -nE 's/^tsort: ([^ ]+)$/\1/p'
}

# what_is_wrong SRC BUILD ROOM - print a circle in one line, each file beside the one that it uses.
what_is_wrong() {
	edges "$1" "$2" "$3" | circle | sed "s|^$3/||" | tr '\n' ' '
}

for room in $rooms; do
	found=$(what_is_wrong "$top_srcdir" "$top_builddir" "$room")
	case " $unclean " in
	*" $room "*) [ -n "$found" ] || wrong "$room/ has no circle any more: take it off the list in circles.sh" ;;
	*) [ -z "$found" ] || wrong "files of $room/ use each other in a circle: $found" ;;
	esac
done
[ "$(objects "$top_srcdir" "$top_builddir" prmem | wc -l)" -eq "$(find "$top_srcdir/prmem" -name '*.c' | wc -l)" ] ||
	wrong "not each file of prmem/ has an object: the test sees only a part of what is called"

# What the test is for, planted: a circle of includes, one of calls, one of both, and none.
plant() { # NAME INCLUDED-BY-ONE INCLUDED-BY-TWO CALLED-BY-ONE CALLED-BY-TWO
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/room" "$tmp/build/room"
	for file in one two three; do
		printf '#define FILE_%s 1\n' "$file" >"$tmp/tree/room/$file.h"
		printf 'void %s(void);\nvoid %s(void) {}\n' "$file" "$file" >"$tmp/tree/room/$file.c"
	done
	echo "#include \"room/$2.h\"" >>"$tmp/tree/room/one.h"
	echo "#include \"room/$3.h\"" >>"$tmp/tree/room/two.c"
	printf 'void %s(void);\nvoid of_one(void);\nvoid of_one(void) { %s(); }\n' "$4" "$4" >>"$tmp/tree/room/one.c"
	printf 'void %s(void);\nvoid of_two(void);\nvoid of_two(void) { %s(); }\n' "$5" "$5" >>"$tmp/tree/room/two.c"
	for file in one two three; do
		# shellcheck disable=SC2086 # CC may hold flags
		$CC -c -I"$tmp/tree" -o "$tmp/build/room/libroom_la-$file.o" "$tmp/tree/room/$file.c"
	done
	found=$(what_is_wrong "$tmp/tree" "$tmp/build" room | tr ' ' '\n' | sort | tr '\n' ' ' | sed 's/^ //')
	[ "$found" = "$1" ] || wrong "planted in room/: expected \"$1\", found \"$found\""
}
plant 'one two ' two one three three
plant 'one two ' three three two one
plant 'one two ' two three three one
plant 'one two ' three one two three
plant '' two three two three
exit $errors
