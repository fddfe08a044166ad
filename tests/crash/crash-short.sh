#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A few seconds of crash images, the same ones each time unless CRASH_SEED says
# otherwise; `make check-crash` has more of them, and the mutants.
set -eu

unset CRASH_IMAGES
for program in crash_test crash_tiny_test; do
	"${top_builddir:?}/tests/crash/$program" --short --no-mutants -j 2 -s "${CRASH_SEED:-1}"
done
