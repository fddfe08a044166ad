/* SPDX-License-Identifier: BSD-3-Clause */
/* Objects of programs: prmem_alloc_pages(), prmem_alloc(), and what slots say. */
#include <errno.h>

#include "prmem/alloc/page_alloc.h"
#include "prmem/core/notice.h"
#include "prmem/format/buffer_format.h"
#include "prmem/object/buffer.h"
#include "prmem/object/object.h"
#include "tests/unit/fake_buffers.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"
#include "xarray/xa_internal.h"

static uint64_t
nr_free(struct prmem_pool *pool)
{
	struct page_numbers numbers;

	CHECK_EQ(buffers_reclaim(pool->buffers), 0);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	page_numbers(pool->pages, &numbers);
	return numbers.nr_free;
}

static uint32_t
pfn_of(struct prmem_pool *pool, const void *addr)
{
	uint32_t pfn = 0;

	CHECK(pool_pfn_of(pool, addr, &pfn));
	return pfn;
}

static void
payload_of_a_run_says_where_and_how_long(void)
{
	for (unsigned int order = 1; order <= PRMEM_ORDER_MAX; order++) {
		uint32_t pfn = (uint32_t)unit_random() & ~((1u << order) - 1);
		uint32_t payload = object_run_payload(pfn, order);

		CHECK_EQ(object_run_order(payload), order);
		CHECK_EQ(object_run_pfn(payload), pfn);
	}
	CHECK_EQ(object_run_order(0), 0);
}

static void
runs_are_found_by_their_address(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_start(65536, true));
	uint64_t all = nr_free(pool);
	void *addrs[12], *addr;
	struct object obj;

	CHECK_EQ(prmem_alloc_pages(pool, PRMEM_ORDER_MAX + 1, &addr), -EINVAL);
	CHECK_EQ(prmem_alloc_pages(pool, PRMEM_ORDER_MAX, &addr), -ENOSPC);
	for (unsigned int order = 0; order < 12; order++) {
		CHECK_EQ(prmem_alloc_pages(pool, order, &addrs[order]), 0);
		memset(addrs[order], 0xff, (size_t)PRMEM_PAGE_SIZE << order);
	}
	for (unsigned int order = 0; order < 12; order++) {
		uint32_t pfn = pfn_of(pool, addrs[order]);

		CHECK_EQ(object_find(pool, addrs[order], &obj), 0);
		CHECK_EQ(obj.kind, order == 0 ? XA_KIND_PAGE : XA_KIND_RUN);
		CHECK_EQ(obj.payload, order == 0 ? pfn : object_run_payload(pfn, order));
		CHECK(obj.start == addrs[order]);
		CHECK_EQ(obj.len_bytes, (size_t)PRMEM_PAGE_SIZE << order);
		CHECK_EQ(object_of_slot(pool, obj.kind, obj.payload, &obj), 0);
		CHECK(obj.start == addrs[order]);
		CHECK_EQ(obj.len_bytes, (size_t)PRMEM_PAGE_SIZE << order);
		CHECK_EQ(object_find(pool, (char *)addrs[order] + 8, &obj), -EINVAL);
		if (order > 0)
			CHECK_EQ(object_find(pool, (char *)addrs[order] + PRMEM_PAGE_SIZE, &obj), -EINVAL);
	}
	CHECK_EQ(object_find(pool, NULL, &obj), -EINVAL);
	CHECK_EQ(object_find(pool, &obj, &obj), -EINVAL);
	CHECK_EQ(object_find(pool, pool_page(pool, 0), &obj), -EINVAL);

	/* Given back wrongly: nothing happens.  Rightly: once. */
	prmem_free_pages(pool, NULL, 0);
	prmem_free_pages(pool, &obj, 0);
	prmem_free_pages(pool, addrs[5], 4);
	prmem_free_pages(pool, (char *)addrs[5] + PRMEM_PAGE_SIZE, 0);
	CHECK_EQ(object_find(pool, addrs[5], &obj), 0);
	for (unsigned int order = 0; order < 12; order++) {
		prmem_free_pages(pool, addrs[order], order);
		prmem_free_pages(pool, addrs[order], order);
		CHECK_EQ(object_find(pool, addrs[order], &obj), -EINVAL);
	}
	CHECK_EQ(nr_free(pool), all);
	fake_buffers_destroy(pool);
}

static void
many_runs_are_remembered(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_start(16384, true));
	void *addrs[3000];
	struct object obj;

	for (unsigned int i = 0; i < 3000; i++)
		CHECK_EQ(prmem_alloc_pages(pool, i % 3, &addrs[i]), 0);
	for (unsigned int i = 0; i < 3000; i++) {
		CHECK_EQ(object_find(pool, addrs[i], &obj), 0);
		CHECK_EQ(obj.len_bytes, (size_t)PRMEM_PAGE_SIZE << i % 3);
	}
	for (unsigned int i = 0; i < 3000; i += 2)
		prmem_free_pages(pool, addrs[i], i % 3);
	for (unsigned int i = 0; i < 3000; i++)
		CHECK_EQ(object_find(pool, addrs[i], &obj), i % 2 ? 0 : -EINVAL);
	fake_buffers_destroy(pool);
}

static void
buffers_are_found_by_their_address(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, true));
	uint64_t all = nr_free(pool);
	static const size_t lengths[] = {1, 48, 49, 1000, PRMEM_ALLOC_MAX};
	struct object obj;
	void *addr;

	CHECK_EQ(prmem_alloc(pool, 0, &addr), -EINVAL);
	CHECK_EQ(prmem_alloc(pool, PRMEM_ALLOC_MAX + 1, &addr), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		CHECK_EQ(prmem_alloc(pool, lengths[i], &addr), 0);
		CHECK_EQ((uintptr_t)addr % 8, 0);
		memset(addr, 0x55, lengths[i]);
		CHECK_EQ(object_find(pool, addr, &obj), 0);
		CHECK_EQ(obj.kind, XA_KIND_BUFFER);
		CHECK(obj.start == (char *)addr - sizeof(struct buffer_media));
		CHECK_EQ(obj.len_bytes, lengths[i] + sizeof(struct buffer_media));
		CHECK_EQ(object_of_slot(pool, XA_KIND_BUFFER, obj.payload, &obj), 0);
		CHECK_EQ(obj.len_bytes, lengths[i] + sizeof(struct buffer_media));
		prmem_free(pool, (char *)addr + 8);
		CHECK_EQ(object_find(pool, addr, &obj), 0);
		prmem_free(pool, addr);
		CHECK_EQ(object_find(pool, addr, &obj), -EINVAL);
		prmem_free(pool, addr);
	}
	prmem_free(pool, NULL);
	CHECK_EQ(nr_free(pool), all);
	pool_set_read_only(pool, "a test");
	CHECK_EQ(prmem_alloc(pool, 1, &addr), -EROFS);
	CHECK_EQ(prmem_alloc_pages(pool, 0, &addr), -EROFS);
	fake_buffers_destroy(pool);
}

/* Whatever a slot says, what is made of it lies inside the pool. */
static void
slots_are_not_believed(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_new_regions(1000, 500, true));
	struct object obj;

	CHECK_EQ(object_of_slot(pool, XA_KIND_PAGE, 40, &obj), 0);
	CHECK_EQ(object_of_slot(pool, XA_KIND_PAGE, 1499, &obj), 0);
	CHECK_EQ(object_of_slot(pool, XA_KIND_PAGE, 1500, &obj), -EIO);
	CHECK_EQ(object_of_slot(pool, XA_KIND_PAGE, UINT32_MAX, &obj), -EIO);
	CHECK_EQ(object_of_slot(pool, XA_KIND_PAGE, SB_PFN_A, &obj), -EIO);
	CHECK_EQ(object_of_slot(pool, XA_KIND_PAGE, SB_PFN_B, &obj), -EIO);
	CHECK_EQ(object_of_slot(pool, XA_KIND_PAGE, 1000, &obj), -EIO); /* header of region 1 */
	CHECK_EQ(object_of_slot(pool, XA_KIND_RUN, 0, &obj), -EIO);
	CHECK_EQ(object_of_slot(pool, XA_KIND_RUN, object_run_payload(512, 8), &obj), 0);
	CHECK_EQ(object_of_slot(pool, XA_KIND_RUN, object_run_payload(512, 9), &obj), -EIO); /* over the seam */
	CHECK_EQ(object_of_slot(pool, XA_KIND_RUN, object_run_payload(0, 4), &obj), -EIO); /* page 0 */
	CHECK_EQ(object_of_slot(pool, XA_KIND_RUN, object_run_payload(32, 5), &obj), -EIO); /* page 32 */
	CHECK_EQ(object_of_slot(pool, XA_KIND_RUN, object_run_payload(1024, 9), &obj), -EIO); /* behind the end */
	CHECK_EQ(object_of_slot(pool, XA_KIND_RUN, UINT32_C(1) << 31, &obj), -EIO);
	CHECK_EQ(object_of_slot(pool, XA_KIND_BUFFER, 50 * 64, &obj), -EIO);
	CHECK_EQ(object_of_slot(pool, XA_KIND_NODE, 50, &obj), -EIO);
	CHECK_EQ(object_of_slot(pool, (enum xa_kind)15, 50, &obj), -EIO);
	for (unsigned int i = 0; i < 100000; i++) {
		enum xa_kind kind = (enum xa_kind)(unit_random() % 16);
		uint32_t payload = (uint32_t)unit_random();

		if (i % 2)
			payload %= 1600 * 64;
		if (object_of_slot(pool, kind, payload, &obj) == 0) {
			uint32_t pfn = pfn_of(pool, obj.start);

			CHECK_EQ(pfn_of(pool, (const char *)obj.start + obj.len_bytes - 1),
				 pfn + (obj.len_bytes - 1) / PRMEM_PAGE_SIZE);
		}
	}
	fake_buffers_destroy(pool);
}

static void
retiring_an_entry_frees_its_object(void)
{
	for (int is_pmem = 0; is_pmem < 2; is_pmem++) {
		struct prmem_pool *pool = fake_buffers(fake_pool_start(4096, is_pmem));
		uint64_t all = nr_free(pool);
		void *page, *run, *buffer;
		struct object obj;

		CHECK_EQ(prmem_alloc_pages(pool, 0, &page), 0);
		CHECK_EQ(prmem_alloc_pages(pool, 4, &run), 0);
		CHECK_EQ(prmem_alloc(pool, 1000, &buffer), 0);
		CHECK_EQ(nr_free(pool), all - 1 - 16 - 1);
		CHECK_EQ(object_find(pool, page, &obj), 0);
		object_retire(pool, xa_mk_entry(obj.kind, obj.payload, 0x123));
		CHECK_EQ(object_find(pool, run, &obj), 0);
		object_retire(pool, xa_mk_entry(obj.kind, obj.payload, 0x456));
		CHECK_EQ(object_find(pool, buffer, &obj), 0);
		object_retire(pool, xa_mk_entry(obj.kind, obj.payload, 0x789));
		CHECK_EQ(object_find(pool, page, &obj), -EINVAL);
		CHECK_EQ(object_find(pool, run, &obj), -EINVAL);
		CHECK_EQ(object_find(pool, buffer, &obj), -EINVAL);
		CHECK_EQ(nr_free(pool), all);
		/* These refer to nothing. */
		object_retire(pool, 0);
		object_retire(pool, xa_mk_entry(XA_KIND_VALUE, 100, 0));
		object_retire(pool, xa_mk_entry(XA_KIND_BAD, 100, 0));
		object_retire(pool, xa_mk_err(-EIO));
		/* These are damaged. */
		object_retire(pool, xa_mk_entry(XA_KIND_PAGE, UINT32_MAX, 0));
		object_retire(pool, xa_mk_entry(XA_KIND_PAGE, SB_PFN_B, 0));
		object_retire(pool, xa_mk_entry(XA_KIND_RUN, 0, 0));
		object_retire(pool, xa_mk_entry(XA_KIND_RUN, object_run_payload(0, 5), 0));
		object_retire(pool, xa_mk_entry(XA_KIND_BUFFER, 4000, 0));
		CHECK_EQ(nr_free(pool), all);
		CHECK(page_is_marked(pool->pages, SB_PFN_B));
		fake_buffers_destroy(pool);
	}
}

UNIT_MAIN(CASE(payload_of_a_run_says_where_and_how_long), CASE(runs_are_found_by_their_address),
	  CASE(many_runs_are_remembered), CASE(buffers_are_found_by_their_address), CASE(slots_are_not_believed),
	  CASE(retiring_an_entry_frees_its_object))
