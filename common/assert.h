/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three tiers of checks for what only our own bugs can break.  None of them is
 * for what is read from media, comes from a caller of the public API that may
 * be wrong, or depends on memory being there: those are checked and become
 * errors.
 *
 *	static_assert(cond, "why")	at compile time, wherever that is possible
 *	ASSERT(cond)			kept on in every build: a compare of values at hand
 *	DEBUG_ASSERT(cond)		only with configure --enable-debug: on the way of
 *					every request, or a loop, or a look at memory that
 *					is not needed otherwise
 *
 * A condition has no side effects.  Where it does not speak for itself:
 * ASSERT(nr > 0 && "why").
 */
#ifndef PRMEM_COMMON_ASSERT_H
#define PRMEM_COMMON_ASSERT_H

/* Assertions are for where people use this: no build turns them off. */
#undef NDEBUG
#include <assert.h>

#define ASSERT(cond) assert(cond)

#ifdef PRMEM_DEBUG
#define DEBUG_ASSERT(cond) assert(cond)
#else
/* Compiled, so that it stays right, and never evaluated. */
#define DEBUG_ASSERT(cond) ((void)sizeof(!(cond)))
#endif

#endif
