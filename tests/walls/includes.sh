#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Each room includes what its row of the table allows, and nothing else.
. "${top_srcdir:?}/tests/walls/functions.sh"

# The C library's and the kernel's headers, free to all.
libc='(assert|ctype|dirent|endian|errno|fcntl|fenv|getopt|glob|inttypes|langinfo|libgen|limits|locale|math|mntent|netdb|poll|pthread|sched|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|syslog|termios|time|ucontext|unistd|wchar|(sys|linux|net|netinet|arpa|sanitizer)/[a-z0-9_/-]+)\.h'

# What the engine may know of the XArray: not what is for inside it.
xarray='xarray/(xarray|xarray_format|xa_internal|xa_memory|xa_rcu)\.h'

# floor NAME KNOWN... - the regular expression for a floor of prmem/: itself, those that it knows, and common/.
floor() {
	local IFS='|'
	echo "<$libc>|\"(common/[a-z0-9_]+|prmem/prmem|prmem/($*)/[a-z0-9_]+)\.h\""
}

# allowed FILE - the regular expression of what a file may include; an include
# from the tree is written from its top: "room/file.h".  The floors of prmem/
# stand lowest first; check/ is beside disk/, not above it.
allowed() {
	case $1 in
	common/*) echo "<$libc>|<isa-l/[a-z_]+\.h>|\"common/[a-z0-9_]+\.h\"" ;;
	xarray/*) echo "<$libc>|<urcu/[a-z-]+\.h>|\"(common|xarray)/[a-z0-9_]+\.h\"" ;;
	prmem/prmem.h) echo "<$libc>|<xarray\.h>" ;;
	prmem/format/*) echo "<$libc>|\"(common|prmem/format)/[a-z0-9_]+\.h\"" ;;
	prmem/memory/pm_libpmem.c) echo "$(floor format memory)|<libpmem\.h>" ;;
	prmem/memory/foreign.c) echo "$(floor format memory)|<blkid/blkid\.h>" ;;
	prmem/memory/*) echo "$(floor format memory)|\"xarray/xarray_format\.h\"" ;;
	prmem/core/*) floor format memory core ;;
	prmem/alloc/*) echo "$(floor format memory core alloc)|\"xarray/xa_rcu\.h\"" ;;
	prmem/object/*) echo "$(floor format memory core alloc object)|\"$xarray\"" ;;
	prmem/instance/*) echo "$(floor format memory core alloc object instance)|\"$xarray\"" ;;
	prmem/disk/*) echo "$(floor format memory core alloc object instance disk)|\"$xarray\"" ;;
	prmem/check/*) echo "$(floor format memory core alloc object instance check)|\"$xarray\"" ;;
	prmem/pool/*) echo "$(floor format memory core alloc object instance disk check pool)|\"$xarray\"" ;;
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
	# What is for inside a room or a floor is included there only, and by tests.
	find "$1" -name '*.[ch]' -not -path "$1/tests/*" | while IFS= read -r f; do
		dir=$(dirname "${f#"$1/"}")
		sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*("[^"]*(_internal|xa_node)\.h").*/\1/p' "$f" |
			grep -v "^\"$dir/" | grep -vx '"xarray/xa_internal\.h"' | sed "s|^|${f#"$1/"}: |"
	done
	# Exactly one file reaches libpmem.
	grep -rlE --exclude-dir=tests --include='*.[ch]' '#[[:space:]]*include[[:space:]]*<libpmem' "$1" |
		sed "s|^$1/||" | grep -vx 'prmem/memory/pm_libpmem.c' | sed 's/$/: <libpmem.h>/'
}

found=$(check_tree "$top_srcdir")
[ -z "$found" ] || wrong "not allowed by the table of rooms:
$found"
grep -q '<libpmem\.h>' "$top_srcdir/prmem/memory/pm_libpmem.c" || wrong "prmem/memory/pm_libpmem.c does not include <libpmem.h>"

# The check sees what it is for: plant each kind of break in a tree of that one file.
plant() { # FILE INCLUDE
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/$(dirname "$1")"
	[ ! -e "$top_srcdir/$1" ] || cat "$top_srcdir/$1" >"$tmp/tree/$1"
	[ -z "$(check_tree "$tmp/tree")" ] || wrong "$1 alone is not allowed: the test is wrong"
	printf '#include %s\n' "$2" >>"$tmp/tree/$1"
	check_tree "$tmp/tree" | grep -qF "$1: $2" || wrong "planted $2 in $1, and it was not seen"
}
plant common/crc32c.c '"xarray/xarray.h"'
plant xarray/xa_internal.h '"prmem/core/pool.h"'
plant xarray/xa_internal.h '<libpmem.h>'
plant prmem/format/record_format.h '"prmem/memory/error.h"'
plant prmem/memory/backing.c '"prmem/core/pool.h"'
plant prmem/memory/backing.c '<blkid/blkid.h>'
plant prmem/core/guard.c '"prmem/alloc/page_alloc.h"'
plant prmem/core/guard.c '"xarray/xarray.h"'
plant prmem/alloc/page_take.c '"prmem/object/object.h"'
plant prmem/object/proof.c '"prmem/instance/instance_types.h"'
plant prmem/object/object.c '"prmem/alloc/page_internal.h"'
plant prmem/object/object.c '"xarray/xa_node.h"'
plant prmem/instance/record.c '"prmem/disk/disk.h"'
plant prmem/instance/retire.c '"prmem/alloc/page_internal.h"'
plant prmem/disk/disk.c '"prmem/check/findings.h"'
plant prmem/disk/disk.c '"prmem/pool/recover.h"'
plant prmem/check/check.c '"prmem/disk/disk_types.h"'
plant prmem/check/check.c '"prmem/pool/close.h"'
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
