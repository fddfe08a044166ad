/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A 64-bit mixer for proofs of place: every input bit reaches every output
 * bit, and different inputs never give the same output (it is a bijection).
 *
 * Source: the finaliser of SplitMix64 as published by G. Steele, D. Lea and
 * C. Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014),
 * with the constants of D. Stafford's variant 13.  It is part of the media
 * format: changing it makes every pool unreadable.
 */
#ifndef PRMEM_COMMON_MIX64_H
#define PRMEM_COMMON_MIX64_H

#include <stdint.h>

static inline uint64_t
mix64(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

#endif
