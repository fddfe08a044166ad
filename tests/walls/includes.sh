#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Each room includes what its row of the table allows, and nothing else.
. "${top_srcdir:?}/tests/walls/functions.sh"

# The C library's and the kernel's headers, free to all.
libc='(assert|ctype|dirent|endian|errno|fcntl|fenv|getopt|glob|inttypes|langinfo|libgen|limits|locale|math|mntent|netdb|poll|pthread|sched|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|syslog|termios|time|ucontext|unistd|wchar|(sys|linux|net|netinet|arpa|sanitizer)/[a-z0-9_/-]+)\.h'

# allowed FILE - the regular expression of what a file may include; an include
# from the tree is written from its top: "room/file.h".
allowed() {
	case $1 in
	common/*) echo "<$libc>|<isa-l/[a-z_]+\.h>|\"common/[a-z0-9_]+\.h\"" ;;
	xarray/*) echo "<$libc>|<urcu/[a-z-]+\.h>|\"(common|xarray)/[a-z0-9_]+\.h\"" ;;
	prmem/prmem.h) echo "<$libc>|<xarray\.h>" ;;
	prmem/memory/pm_libpmem.c) echo "<$libc>|<libpmem\.h>|\"(common|xarray|prmem)/[a-z0-9_/]+\.h\"" ;;
	prmem/*) echo "<$libc>|<blkid/blkid\.h>|<(prmem|xarray)\.h>|\"(common|xarray|prmem)/[a-z0-9_/]+\.h\"" ;;
	control/*) echo "<$libc>|<(prmem|xarray)\.h>|<json-c/[a-z_]+\.h>|\"control/[a-z0-9_]+\.h\"" ;;
	plugin/*) echo "<$libc>|<nbdkit-plugin\.h>|<(prmem|xarray)\.h>|\"control/server\.h\"|\"plugin/[a-z0-9_]+\.h\"" ;;
	tools/prmem-nbd/*) echo "<$libc>|<(json-c|netlink)/[a-z0-9_/-]+\.h>|\"tools/(prmem-nbd/)?[a-z0-9_]+\.h\"" ;;
	tools/*) echo "<$libc>|<(prmem|xarray)\.h>|<json-c/[a-z_]+\.h>|\"control/(control|client)\.h\"|\"tools/[a-z0-9_/-]+\.h\"" ;;
	examples/*) echo "<$libc>|<(prmem|xarray)\.h>" ;;
	tests/unit/xa_* | tests/unit/sim_memory*) echo "<$libc>|<valgrind/[a-z]+\.h>|<urcu/[a-z-]+\.h>|<xarray\.h>|\"(common|xarray|tests/unit)/[a-z0-9_]+\.h\"" ;;
	tests/*) echo '.*' ;;
	*) echo 'no such room' ;;
	esac
}

# check_tree DIR - print FILE: INCLUDE for each include that is not allowed.
check_tree() {
	local f dir
	for dir in common xarray prmem control plugin tools examples tests/unit; do
		[ -d "$1/$dir" ] || continue
		while IFS= read -r f; do
			sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*([<"][^>"]*[>"]).*/\1/p' "$f" |
				grep -vxE "$(allowed "${f#"$1/"}")" | sed "s|^|${f#"$1/"}: |"
		done < <(find "$1/$dir" -name '*.[ch]' | sort)
	done
	# Exactly one file reaches libpmem.
	grep -rlE '#[[:space:]]*include[[:space:]]*<libpmem' "$1/common" "$1/xarray" "$1/prmem" "$1/control" "$1/plugin" "$1/tools" |
		sed "s|^$1/||" | grep -vx 'prmem/memory/pm_libpmem.c' | sed 's/$/: <libpmem.h>/'
}

found=$(check_tree "$top_srcdir")
[ -z "$found" ] || wrong "not allowed by the table of rooms:
$found"
grep -q '<libpmem\.h>' "$top_srcdir/prmem/memory/pm_libpmem.c" || wrong "prmem/memory/pm_libpmem.c does not include <libpmem.h>"

# The check sees what it is for: plant each kind of break in a copy.
plant() { # FILE INCLUDE
	rm -rf "$tmp/tree"
	mkdir "$tmp/tree"
	(cd "$top_srcdir" && tar -c common xarray prmem control plugin tools tests/unit) | tar -C "$tmp/tree" -x
	chmod -R u+w "$tmp/tree"
	printf '#include %s\n' "$2" >>"$tmp/tree/$1"
	check_tree "$tmp/tree" | grep -qF "$1: $2" || wrong "planted $2 in $1, and it was not seen"
}
plant common/crc32c.c '"xarray/xarray.h"'
plant xarray/xa_internal.h '"prmem/core/pool.h"'
plant xarray/xa_internal.h '<libpmem.h>'
plant prmem/core/pool.h '<libpmem.h>'
plant prmem/core/pool.h '<nbdkit-plugin.h>'
plant plugin/exports.h '"prmem/core/pool.h"'
plant plugin/exports.h '"xarray/xa_internal.h"'
plant plugin/exports.h '"common/pm.h"'
plant plugin/exports.h '"control/verb.h"'
plant control/control.h '"prmem/core/pool.h"'
plant control/control.h '<nbdkit-plugin.h>'
plant tools/planted.c '"prmem/alloc/page_alloc.h"'
exit $errors
