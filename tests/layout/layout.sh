#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The media format is what layout.expected says: every field and constant of
# every *_format.h.  Pools outlive programs; a change here is a new version.
. "${top_srcdir:?}/tests/walls/functions.sh"

"$top_builddir/tests/layout/layout" >"$tmp/layout" || wrong "tests/layout/layout failed"
diff -u "$top_srcdir/tests/layout/layout.expected" "$tmp/layout" ||
	wrong "the media format is not that of tests/layout/layout.expected; is that meant?"

# Nothing of the headers is left out.
cd "$top_srcdir" || exit 1
for f in prmem/format/*_format.h xarray/*_format.h; do
	while IFS= read -r name; do
		grep -qE "^(struct )?$name: " "$tmp/layout" || wrong "$f: $name is not in the layout test"
	done < <(sed -nE 's/^#define ([A-Z0-9_]+) [^ ].*/\1/p; s/^\t(XA_KIND_[A-Z]+) =.*/\1/p
		s/^struct ([a-z_]+_media) \{$/\1/p' "$f")
done
# A moved field is seen.
sed 's/^struct sb_media: 32 seq/struct sb_media: 40 seq/' "$tmp/layout" >"$tmp/moved"
if cmp -s "$tmp/moved" "$top_srcdir/tests/layout/layout.expected"; then
	wrong "a moved field was not seen"
fi
exit $errors
