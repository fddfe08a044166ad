/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PRMEM_TESTS_DETERMINISM_H
#define PRMEM_TESTS_DETERMINISM_H

#include <stdint.h>

/* determinism_start() - what time() and getrandom() answer follows from @seed from here on. */
void determinism_start(uint64_t seed);

#endif
