/* SPDX-License-Identifier: BSD-3-Clause */
/* Extra owners of pages. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "prmem/alloc/page_refs.h"
#include "tests/unit/unit.h"

static void
page_without_an_entry_has_one_owner(void)
{
	struct page_refs *refs;

	CHECK_EQ(page_refs_create(&refs), 0);
	CHECK_EQ(page_refs_nr(refs, 7), 0);
	CHECK(page_refs_drop(refs, 7));
	page_refs_destroy(refs);
	page_refs_destroy(NULL);
}

static void
last_owner_is_told(void)
{
	struct page_refs *refs;

	CHECK_EQ(page_refs_create(&refs), 0);
	CHECK_EQ(page_refs_add(refs, 64), 0);
	CHECK_EQ(page_refs_add(refs, 64), 0);
	CHECK_EQ(page_refs_nr(refs, 64), 2);
	CHECK_EQ(page_refs_nr(refs, 65), 0);
	CHECK(page_refs_drop(refs, 65)); /* another key, also with entries there */
	CHECK(!page_refs_drop(refs, 64));
	CHECK(!page_refs_drop(refs, 64));
	CHECK_EQ(page_refs_nr(refs, 64), 0);
	CHECK(page_refs_drop(refs, 64));
	page_refs_destroy(refs);
}

static void
many_keys_keep_their_counts(void)
{
	struct page_refs *refs;
	uint64_t first = unit_random() >> 28;
	uint32_t count[5000];

	CHECK_EQ(page_refs_create(&refs), 0);
	for (unsigned int i = 0; i < 5000; i++) {
		count[i] = (uint32_t)(unit_random() % 4);
		for (uint32_t j = 0; j < count[i]; j++)
			CHECK_EQ(page_refs_add(refs, first + i), 0);
	}
	for (unsigned int i = 0; i < 5000; i++) {
		CHECK_EQ(page_refs_nr(refs, first + i), count[i]);
		for (uint32_t j = 0; j < count[i]; j++)
			CHECK(!page_refs_drop(refs, first + i));
		CHECK(page_refs_drop(refs, first + i));
	}
	page_refs_destroy(refs); /* what is left is freed: the leak check of the sanitizer */
	CHECK_EQ(page_refs_create(&refs), 0);
	CHECK_EQ(page_refs_add(refs, UINT64_MAX), 0);
	page_refs_destroy(refs);
}

#define NR_THREADS 4
#define NR_KEYS 16

struct job {
	struct page_refs *refs;
	atomic_uint nr_last;
};

static void *
borrow_and_give_back(void *opaque)
{
	struct job *job = opaque;

	for (unsigned int i = 0; i < 20000; i++)
		CHECK_EQ(page_refs_add(job->refs, i % NR_KEYS), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		if (page_refs_drop(job->refs, i % NR_KEYS))
			atomic_fetch_add(&job->nr_last, 1);
	}
	return NULL;
}

static void
threads_find_one_last_owner(void)
{
	struct job job = {0};
	pthread_t threads[NR_THREADS];

	CHECK_EQ(page_refs_create(&job.refs), 0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, borrow_and_give_back, &job), 0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(atomic_load(&job.nr_last), 0);
	for (unsigned int i = 0; i < NR_KEYS; i++)
		CHECK(page_refs_drop(job.refs, i));
	page_refs_destroy(job.refs);
}

UNIT_MAIN(CASE(page_without_an_entry_has_one_owner), CASE(last_owner_is_told), CASE(many_keys_keep_their_counts),
	  CASE(threads_find_one_last_owner))
