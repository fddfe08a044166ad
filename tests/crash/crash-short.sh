#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A few seconds of the crash test; `make check-crash` is the real one.
set -eu

for program in crash_test crash_tiny_test; do
	"$top_builddir/tests/crash/$program" --short
done
