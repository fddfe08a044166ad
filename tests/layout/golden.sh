#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Pools that earlier versions made open, and hold what they held (P8).  An image
# is made by `golden make`, compressed by `xz -9e`, and never changed again.
. "${top_srcdir:?}/tests/walls/functions.sh"
need xz xz-utils
golden=$top_builddir/tests/layout/golden
pool=$tmp/pool

for image in "$top_srcdir"/tests/layout/golden-*.pool.xz; do
	xz -dc "$image" >"$pool" || wrong "$image cannot be unpacked"
	cp "$pool" "$tmp/before"
	"$golden" check "$pool" || wrong "${image##*/} does not hold what it should"
	cmp -s "$pool" "$tmp/before" || wrong "reading ${image##*/} changed it"
	"$golden" change "$pool" || wrong "${image##*/} cannot be changed"
	"$golden" check "$pool" || wrong "${image##*/} does not hold what it should after a change"
done

# What is made today has the same content; and the check sees a changed byte.
rm -f "$pool"
"$golden" make "$pool" || wrong "golden make failed"
"$golden" check "$pool" || wrong "a pool made now does not hold what it should"
# The page of the disk at offset 4096, by its first bytes.
at=$(LC_ALL=C grep -obUaP '\x11\x19\x1f\x27\x2d\x35\x3b\x43' "$pool" | cut -d: -f1 | awk '$1 % 4096 == 0' | head -n 1)
if [ -n "$at" ]; then
	printf '\0' | dd of="$pool" bs=1 seek="$at" conv=notrunc status=none
	if "$golden" check "$pool" 2>/dev/null; then
		wrong "a changed byte of a page was not seen"
	fi
else
	wrong "no page of data found in a fresh pool: the test looks for the wrong bytes"
fi
exit $errors
