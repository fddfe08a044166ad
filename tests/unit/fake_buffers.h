/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool made by hand that has buffers, too: for tests of what stands on the
 * allocator.  The tests of the allocator itself link nothing above it.
 */
#ifndef PRMEM_TESTS_FAKE_BUFFERS_H
#define PRMEM_TESTS_FAKE_BUFFERS_H

#include "prmem/object/buffer.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"

static inline struct prmem_pool *
fake_buffers(struct prmem_pool *pool)
{
	CHECK_EQ(buffers_create(pool, &pool->buffers), 0);
	return pool;
}

static inline void
fake_buffers_destroy(struct prmem_pool *pool)
{
	buffers_destroy(pool->buffers);
	fake_pool_destroy(pool);
}

#endif
