# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034
# Shared by the tests of the walls.  They set errors=1 and go on, so that one
# run shows everything.

: "${top_srcdir:?run me by make check}" "${top_builddir:?run me by make check}"
errors=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

wrong() {
	printf '%s\n' "$*"
	errors=1
}

# skip WHY - say why and end as a test that was not run.
skip() {
	printf '%s\n' "$*"
	exit 77
}

need() {
	command -v "$1" >/dev/null || skip "no $1 (Debian package $2)"
}
