#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What fuzzing found once is found never again: the corpus, and a few seeded
# inputs.  FUZZ_SEED repeats a run.
set -e -u
"${top_builddir:?}/tests/fuzz/pool_fuzz_replay" ${FUZZ_SEED:+-s "$FUZZ_SEED"} -n "${FUZZ_INPUTS:-100}" \
	"${top_srcdir:?}"/tests/fuzz/corpus/*
