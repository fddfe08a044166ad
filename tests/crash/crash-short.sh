#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A few seconds of crash images; `make check-crash` has more of them, and the
# mutants.
set -eu

for program in crash_test crash_tiny_test; do
	"${top_builddir:?}/tests/crash/$program" --short --no-mutants
done
