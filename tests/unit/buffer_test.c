/* SPDX-License-Identifier: BSD-3-Clause */
/* Small buffers. */
#include <errno.h>
#include <pthread.h>

#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_refs.h"
#include "prmem/format/buffer_format.h"
#include "prmem/object/buffer.h"
#include "tests/unit/fake_buffers.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"
#include "xarray/xa_rcu.h"

static uint64_t
nr_free(struct prmem_pool *pool)
{
	struct page_numbers numbers;

	CHECK_EQ(buffers_reclaim(pool->buffers), 0);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	page_numbers(pool->pages, &numbers);
	return numbers.nr_free;
}

static size_t
len_of(struct prmem_pool *pool, uint32_t payload)
{
	size_t len_bytes = 0;

	CHECK(buffer_at(pool, payload, &len_bytes) != NULL);
	return len_bytes;
}

static char *
content_of(struct prmem_pool *pool, uint32_t payload)
{
	return (char *)pool_page(pool, payload / 64) + payload % 64 * 64 + sizeof(struct buffer_media);
}

static void
lengths_at_the_edges(void)
{
	static const struct {
		size_t len_bytes;
		unsigned int nr_granules;
	} edges[] = {{1, 1}, {48, 1}, {49, 2}, {112, 2}, {113, 3}, {4016, 63}, {4017, 64}, {4080, 64}};
	struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, true));
	uint64_t all = nr_free(pool);
	uint32_t payload, next;

	CHECK_EQ(buffer_take(pool->buffers, 0, &payload), -EINVAL);
	CHECK_EQ(buffer_take(pool->buffers, PRMEM_ALLOC_MAX + 1, &payload), -EINVAL);
	CHECK_EQ(buffer_take(pool->buffers, SIZE_MAX, &payload), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		CHECK_EQ(buffer_take(pool->buffers, edges[i].len_bytes, &payload), 0);
		CHECK_EQ(len_of(pool, payload), edges[i].len_bytes);
		memset(content_of(pool, payload), 0xff, edges[i].len_bytes);
		CHECK_EQ(buffer_take(pool->buffers, 1, &next), 0);
		CHECK_EQ(next, edges[i].nr_granules == 64 ? next / 64 * 64 : payload + edges[i].nr_granules);
		buffer_untake(pool->buffers, next);
		buffer_untake(pool->buffers, payload);
		CHECK_EQ(nr_free(pool), all);
	}
	fake_buffers_destroy(pool);
}

static void
page_goes_with_its_last_buffer(void)
{
	for (int is_pmem = 0; is_pmem < 2; is_pmem++) {
		struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, is_pmem));
		uint64_t all = nr_free(pool);
		uint32_t payloads[64];

		for (unsigned int i = 0; i < 64; i++) {
			CHECK_EQ(buffer_take(pool->buffers, 48, &payloads[i]), 0);
			CHECK_EQ(payloads[i], payloads[0] + i);
		}
		CHECK_EQ(nr_free(pool), all - 1);
		for (unsigned int i = 0; i < 63; i++)
			buffer_retire(pool->buffers, payloads[i]);
		CHECK_EQ(nr_free(pool), all - 1);
		buffer_retire(pool->buffers, payloads[63]);
		buffer_retire(pool->buffers, payloads[63]); /* once more: a damaged slot */
		CHECK_EQ(nr_free(pool), all);
		fake_buffers_destroy(pool);
	}
}

/* First fit fills gaps of just the right length, and no others. */
static void
gaps_are_filled(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, true));
	uint32_t payloads[16], payload;

	for (unsigned int i = 0; i < 16; i++)
		CHECK_EQ(buffer_take(pool->buffers, 240, &payloads[i]), 0); /* 4 granules each */
	buffer_untake(pool->buffers, payloads[3]);
	buffer_untake(pool->buffers, payloads[4]);
	buffer_untake(pool->buffers, payloads[9]);
	CHECK_EQ(buffer_take(pool->buffers, 8 * 64 - 16, &payload), 0);
	CHECK_EQ(payload, payloads[3]);
	CHECK_EQ(buffer_take(pool->buffers, 5 * 64 - 16, &payload), 0);
	CHECK(payload / 64 != payloads[0] / 64);
	CHECK_EQ(buffer_take(pool->buffers, 4 * 64 - 16, &payload), 0);
	fake_buffers_destroy(pool);
}

static void
mark_finds_overlaps(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_new(1024, true));
	struct buffer_media header = {.magic = cpu_to_le32(BUFFER_MAGIC), .len_bytes = cpu_to_le32(100)};
	uint32_t page = 100 * 64;
	size_t len_bytes;

	for (unsigned int g = 0; g < 64; g++)
		memcpy((char *)pool_page(pool, 100) + g * 64, &header, sizeof header);
	CHECK(buffer_mark(pool->buffers, page + 10)); /* granules 10 and 11 */
	CHECK(!buffer_mark(pool->buffers, page + 10));
	CHECK(!buffer_mark(pool->buffers, page + 9));
	CHECK(!buffer_mark(pool->buffers, page + 11));
	CHECK(buffer_mark(pool->buffers, page + 8));
	CHECK(buffer_mark(pool->buffers, page + 12));
	CHECK(buffer_mark(pool->buffers, page + 62));
	CHECK(!buffer_mark(pool->buffers, page + 63)); /* would end behind its page */
	CHECK(buffer_at(pool, page + 63, &len_bytes) == NULL);
	CHECK(page_is_marked(pool->pages, 100));
	CHECK(!page_mark(pool->pages, 100, 1));
	/* A page that is something else already. */
	memcpy(pool_page(pool, 200), &header, sizeof header);
	CHECK(page_mark(pool->pages, 200, 1));
	CHECK(!buffer_mark(pool->buffers, 200 * 64));
	CHECK(!buffer_mark(pool->buffers, UINT32_MAX));
	CHECK(!buffer_mark(pool->buffers, SB_PFN_A * 64));
	/* What was marked can be retired, and the room between is used. */
	CHECK_EQ(page_alloc_start(pool->pages), 0);
	CHECK_EQ(buffer_take(pool->buffers, 1, &page), 0);
	CHECK_EQ(page, 100 * 64);
	buffer_untake(pool->buffers, page);
	for (unsigned int g = 8; g <= 12; g += 2)
		buffer_retire(pool->buffers, 100 * 64 + g);
	buffer_retire(pool->buffers, 100 * 64 + 9); /* starts no buffer */
	buffer_retire(pool->buffers, 100 * 64 + 62);
	CHECK_EQ(nr_free(pool), 1024 - 3 - 1);
	fake_buffers_destroy(pool);
}

static void
damaged_headers_are_no_buffers(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, true));
	static const uint32_t lengths[] = {0, PRMEM_ALLOC_MAX + 1, UINT32_MAX, UINT32_MAX - 15, 0x80000000u};
	struct buffer_media *header;
	uint32_t payload;
	size_t len_bytes;

	CHECK_EQ(buffer_take(pool->buffers, 100, &payload), 0);
	header = pool_page(pool, payload / 64);
	CHECK(buffer_at(pool, payload, &len_bytes) == header);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		header->len_bytes = cpu_to_le32(lengths[i]);
		CHECK(buffer_at(pool, payload, &len_bytes) == NULL);
	}
	header->len_bytes = cpu_to_le32(100);
	header->magic = cpu_to_le32(BUFFER_MAGIC ^ 1);
	CHECK(buffer_at(pool, payload, &len_bytes) == NULL);
	CHECK(buffer_at(pool, 1024 * 64, &len_bytes) == NULL);
	CHECK(buffer_at(pool, SB_PFN_B * 64, &len_bytes) == NULL);
	/* What is in use is known in RAM: a damaged header does not keep it from being freed. */
	buffer_retire(pool->buffers, payload);
	CHECK_EQ(nr_free(pool), 1024 - 3);
	fake_buffers_destroy(pool);
}

static void
found_by_its_address(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, true));
	uint32_t payload, found;
	char *content;

	CHECK_EQ(buffer_take(pool->buffers, 200, &payload), 0);
	content = content_of(pool, payload);
	CHECK_EQ((uintptr_t)content % 8, 0);
	CHECK(buffer_find(pool->buffers, content, &found));
	CHECK_EQ(found, payload);
	CHECK(!buffer_find(pool->buffers, content + 8, &found));
	CHECK(!buffer_find(pool->buffers, content + 64, &found));
	CHECK(!buffer_find(pool->buffers, content - 64, &found));
	CHECK(!buffer_find(pool->buffers, &payload, &found));
	CHECK(!buffer_find(pool->buffers, NULL, &found));
	buffer_untake(pool->buffers, payload);
	CHECK(!buffer_find(pool->buffers, content, &found));
	fake_buffers_destroy(pool);
}

static void
loan_keeps_a_retired_buffer(void)
{
	for (int is_pmem = 0; is_pmem < 2; is_pmem++) {
		struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, is_pmem));
		uint64_t all = nr_free(pool);
		uint32_t payload;

		CHECK_EQ(buffer_take(pool->buffers, 200, &payload), 0);
		CHECK_EQ(page_refs_add(pool->refs, payload), 0);
		buffer_retire(pool->buffers, payload);
		CHECK_EQ(nr_free(pool), all - 1);
		CHECK(page_refs_drop(pool->refs, payload));
		buffer_free_now(pool->buffers, payload);
		CHECK_EQ(nr_free(pool), all);
		fake_buffers_destroy(pool);
	}
}

/* Page cache: the granules of a retired buffer are not reused before the next sync. */
static void
retired_buffer_waits_for_the_sync(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, false));
	uint32_t payloads[64], payload;

	for (unsigned int i = 0; i < 64; i++)
		CHECK_EQ(buffer_take(pool->buffers, 48, &payloads[i]), 0);
	for (unsigned int i = 1; i < 64; i++)
		buffer_retire(pool->buffers, payloads[i]);
	CHECK_EQ(buffer_take(pool->buffers, 48, &payload), 0);
	CHECK(payload / 64 != payloads[0] / 64);
	for (unsigned int i = 0; i < 64; i++) {
		CHECK_EQ(buffer_take(pool->buffers, 48, &payload), 0);
		CHECK(payload / 64 != payloads[0] / 64);
		buffer_retire(pool->buffers, payload);
	}
	CHECK_EQ(buffers_reclaim(pool->buffers), 0);
	CHECK_EQ(atomic_load(&fake_pm_of(pool, 0)->nr_syncs), 1);
	for (unsigned int i = 0; i < 63; i++)
		CHECK_EQ(buffer_take(pool->buffers, 48, &payload), 0);
	CHECK_EQ(payload / 64 == payloads[0] / 64 || payload / 64 == payloads[0] / 64 + 1, true);
	fake_buffers_destroy(pool);
}

/* A full pool: room comes from what is retired, in both worlds. */
static void
full_pool_uses_the_room_of_retired_buffers(void)
{
	for (int is_pmem = 0; is_pmem < 2; is_pmem++) {
		struct prmem_pool *pool = fake_buffers(fake_pool_start(64, is_pmem));
		uint32_t payloads[64 * 64], n = 0, payload;

		while (buffer_take(pool->buffers, 100, &payloads[n]) == 0)
			n++;
		CHECK_EQ(n, (64 - 3 - 2) * 32);
		for (unsigned int i = 0; i < 1000; i++) {
			uint32_t at = (uint32_t)(unit_random() % n);

			buffer_retire(pool->buffers, payloads[at]);
			CHECK_EQ(buffer_take(pool->buffers, 1 + unit_random() % 112, &payloads[at]), 0);
		}
		while (buffer_take(pool->buffers, 100, &payload) == 0)
			payloads[n++] = payload;
		CHECK_EQ(buffer_take(pool->buffers, 4000, &payload), -ENOSPC);
		for (uint32_t i = 0; i < n; i++)
			buffer_retire(pool->buffers, payloads[i]);
		CHECK_EQ(nr_free(pool), 64 - 3);
		fake_buffers_destroy(pool);
	}
}

/* 256 GiB that nobody touches, and free pages behind them. */
static void
pages_beyond_the_limit_are_not_used(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_new_regions(BUFFER_PFN_LIMIT, 4096, true));
	uint64_t all;
	uint32_t payload;

	CHECK(page_mark(pool->pages, 33, BUFFER_PFN_LIMIT - 33));
	CHECK(page_mark(pool->pages, 2, 30));
	CHECK_EQ(page_alloc_start(pool->pages), 0);
	all = nr_free(pool);
	CHECK_EQ(buffer_take(pool->buffers, 10, &payload), -ENOSPC);
	CHECK_EQ(nr_free(pool), all);
	fake_buffers_destroy(pool);
}

static void
random_buffers_never_overlap(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_start(512, unit_random() % 2));
	uint64_t all = nr_free(pool);
	struct {
		uint32_t payload;
		uint8_t fill;
		size_t len_bytes;
	} held[2000];
	unsigned int nr_held = 0;

	for (unsigned int i = 0; i < 30000 || nr_held > 0; i++) {
		size_t len_bytes = 1 + unit_random() % (unit_random() % 4 ? 200 : PRMEM_ALLOC_MAX);
		unsigned int at;

		if (i < 30000 && unit_random() % 2 && nr_held < ARRAY_SIZE(held) &&
		    buffer_take(pool->buffers, len_bytes, &held[nr_held].payload) == 0) {
			held[nr_held].len_bytes = len_bytes;
			held[nr_held].fill = (uint8_t)i;
			memset(content_of(pool, held[nr_held].payload), (uint8_t)i, len_bytes);
			nr_held++;
			continue;
		}
		if (nr_held == 0)
			continue;
		at = (unsigned int)(unit_random() % nr_held);
		CHECK_EQ(len_of(pool, held[at].payload), held[at].len_bytes);
		for (size_t j = 0; j < held[at].len_bytes; j++)
			CHECK_EQ((uint8_t)content_of(pool, held[at].payload)[j], held[at].fill);
		if (unit_random() % 2)
			buffer_retire(pool->buffers, held[at].payload);
		else
			buffer_untake(pool->buffers, held[at].payload);
		held[at] = held[--nr_held];
	}
	CHECK_EQ(nr_free(pool), all);
	fake_buffers_destroy(pool);
}

#define NR_THREADS 4

struct job {
	struct prmem_pool *pool;
	uint64_t seed;
};

static void *
take_and_retire(void *opaque)
{
	struct job *job = opaque;
	uint32_t held[50], n = 0;

	for (unsigned int i = 0; i < 4000 || n > 0; i++) {
		job->seed = mix64(job->seed + 1);
		if (i < 4000 && n < ARRAY_SIZE(held) && job->seed % 2 == 0) {
			CHECK_EQ(buffer_take(job->pool->buffers, 1 + job->seed / 2 % 300, &held[n]), 0);
			memset(content_of(job->pool, held[n]), 1, len_of(job->pool, held[n]));
			n++;
		} else if (n > 0) {
			buffer_retire(job->pool->buffers, held[--n]);
		}
	}
	return NULL;
}

static void
threads_share_pages_of_buffers(void)
{
	for (int is_pmem = 0; is_pmem < 2; is_pmem++) {
		struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, is_pmem));
		struct job jobs[NR_THREADS];
		pthread_t threads[NR_THREADS];

		for (unsigned int i = 0; i < NR_THREADS; i++) {
			jobs[i] = (struct job){pool, unit_random()};
			CHECK_EQ(pthread_create(&threads[i], NULL, take_and_retire, &jobs[i]), 0);
		}
		for (unsigned int i = 0; i < NR_THREADS; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
		CHECK_EQ(nr_free(pool), 1024 - 3);
		fake_buffers_destroy(pool);
	}
}

/* What a reader may hold is not reused while it reads. */
struct reader {
	atomic_int state; /* 1: holds the lock, 2: let go */
};

static void *
read_a_while(void *opaque)
{
	struct reader *reader = opaque;

	xa_read_lock();
	atomic_store(&reader->state, 1);
	while (atomic_load(&reader->state) != 2)
		sched_yield();
	xa_read_unlock();
	return NULL;
}

struct reclaimer {
	struct prmem_pool *pool;
	atomic_bool done;
};

static void *
reclaim(void *opaque)
{
	struct reclaimer *reclaimer = opaque;

	CHECK_EQ(buffers_reclaim(reclaimer->pool->buffers), 0);
	atomic_store(&reclaimer->done, true);
	return NULL;
}

static void
readers_are_waited_for(void)
{
	struct prmem_pool *pool = fake_buffers(fake_pool_start(1024, true));
	struct reclaimer reclaimer = {.pool = pool};
	struct timespec moment = {0, 50000000};
	struct reader reader = {0};
	uint32_t payload, other;
	pthread_t reading, reclaiming;

	CHECK_EQ(buffer_take(pool->buffers, 100, &payload), 0);
	CHECK_EQ(pthread_create(&reading, NULL, read_a_while, &reader), 0);
	while (atomic_load(&reader.state) != 1)
		sched_yield();
	buffer_retire(pool->buffers, payload);
	CHECK_EQ(pthread_create(&reclaiming, NULL, reclaim, &reclaimer), 0);
	nanosleep(&moment, NULL);
	CHECK(!atomic_load(&reclaimer.done));
	CHECK_EQ(buffer_take(pool->buffers, 100, &other), 0);
	CHECK(other != payload);
	atomic_store(&reader.state, 2);
	CHECK_EQ(pthread_join(reclaiming, NULL), 0);
	CHECK_EQ(pthread_join(reading, NULL), 0);
	buffer_untake(pool->buffers, other);
	CHECK_EQ(nr_free(pool), 1024 - 3);
	fake_buffers_destroy(pool);
}

UNIT_MAIN(CASE(lengths_at_the_edges), CASE(page_goes_with_its_last_buffer), CASE(gaps_are_filled),
	  CASE(mark_finds_overlaps), CASE(damaged_headers_are_no_buffers), CASE(found_by_its_address),
	  CASE(loan_keeps_a_retired_buffer), CASE(retired_buffer_waits_for_the_sync),
	  CASE(full_pool_uses_the_room_of_retired_buffers), CASE(pages_beyond_the_limit_are_not_used),
	  CASE(random_buffers_never_overlap), CASE(threads_share_pages_of_buffers), CASE(readers_are_waited_for))
