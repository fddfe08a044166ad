/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Structs of the public header, which say their size: a program and a library
 * of different ages understand each other.
 *
 * To add a field: at the end, so that nothing that is there moves; with a
 * meaning of 0 that is what was before; and never in what was padding, where
 * an older program may have anything.  SIZED_TAKE() refuses to compile when a
 * struct ends with padding: put an integer or a pointer last.
 */
#ifndef PRMEM_SIZED_H
#define PRMEM_SIZED_H

#include <assert.h>
#include <stddef.h>

#include "common/compiler.h"
#include "prmem/prmem.h"

/*
 * SIZED_TAKE() - copy a struct that the caller filled.
 * @known: where to; a pointer to the struct that this library knows
 * @last: its last field
 * @from, @from_bytes: what the caller handed over
 * Return: 0; -E2BIG when something is set that is not known here; -EINVAL when
 *   it is no longer than a pointer: somebody took the size of one.
 */
#define SIZED_TAKE(known, last, from, from_bytes, err)                                                                 \
	({                                                                                                             \
		static_assert(offsetof(__typeof__(*(known)), last) + sizeof((known)->last) == sizeof *(known),         \
			      "a struct that programs fill ends without padding");                                     \
		const __typeof__(*(known)) *from_ = (from);                                                            \
		sized_take((known), sizeof *(known), from_, (from_bytes), (err));                                      \
	})

MUST_CHECK int sized_take(void *known, size_t known_bytes, const void *from, size_t from_bytes,
			  struct prmem_error *err);

/*
 * sized_fill() - fill a struct of the caller's: as much as it has room for, and
 * zeroes where it goes on beyond what this library knows.
 */
void sized_fill(void *ret, size_t ret_bytes, const void *known, size_t known_bytes);

#endif
