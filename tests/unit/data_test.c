/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data of an instance while somebody scribbles on its memory: what
 * prmem_get_data() returns is what it has checked, or nothing.
 */
#include <errno.h>

#include "tests/unit/temp_pool.h"

uint32_t __real_crc32c(uint32_t crc, const void *buf, size_t len_bytes);
uint32_t __wrap_crc32c(uint32_t crc, const void *buf, size_t len_bytes);

static char *target; /* the media, or NULL: leave it alone */
static unsigned int nr_calls; /* of crc32c() that are still to come before the memory changes */

/* The linker puts this in the place of crc32c(): the memory changes after a CRC was computed. */
uint32_t
__wrap_crc32c(uint32_t crc, const void *buf, size_t len_bytes)
{
	uint32_t ret = __real_crc32c(crc, buf, len_bytes);

	if (target != NULL && nr_calls-- == 0) {
		memcpy(target, "SCRIBBLE", 8);
		target = NULL;
	}
	return ret;
}

static void
data_is_the_copy_that_was_checked(void)
{
	struct prmem_instance *inst;
	struct prmem_error err;
	struct temp_pool t;
	char back[PRMEM_PAGE_SIZE], good[PRMEM_PAGE_SIZE];
	unsigned int moment, nr_scribbled = 0;
	char *media;
	size_t len;
	void *p;
	int r;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	CHECK_EQ(prmem_get(t.pool, "test", "a", PRMEM_CREATE, &inst, &err), 0);
	CHECK_EQ(prmem_alloc_pages(t.pool, 0, &p), 0);
	media = p;
	memset(good, 'd', sizeof good);
	memset(media, 'd', sizeof good);
	CHECK_EQ(prmem_set_data(inst, media, sizeof good), 0);
	for (moment = 0; moment < 8; moment++) {
		memset(back, 'x', sizeof back);
		target = media;
		nr_calls = moment;
		r = prmem_get_data(inst, back, sizeof back, &len);
		nr_scribbled += target == NULL;
		target = NULL;
		CHECK(r == 0 || r == -EIO);
		CHECK(r != 0 || memcmp(back, good, sizeof good) == 0);
		memset(media, 'd', 8);
	}
	CHECK(nr_scribbled > 0);
	prmem_put(inst);
	temp_pool_remove(&t);
}

static void
damaged_data_is_never_returned(void)
{
	struct prmem_instance *inst;
	struct prmem_error err;
	struct temp_pool t;
	char back[PRMEM_PAGE_SIZE];
	size_t len = 7;
	char *media;
	void *p;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	CHECK_EQ(prmem_get(t.pool, "test", "a", PRMEM_CREATE, &inst, &err), 0);
	CHECK_EQ(prmem_alloc_pages(t.pool, 0, &p), 0);
	media = p;
	memset(media, 'd', PRMEM_PAGE_SIZE);
	CHECK_EQ(prmem_set_data(inst, media, 100), 0);
	media[PRMEM_PAGE_SIZE - 1] = 'e'; /* after the data, and covered by its proof */
	memset(back, 'x', sizeof back);
	CHECK_EQ(prmem_get_data(inst, back, sizeof back, &len), -EIO);
	CHECK_EQ(prmem_get_data(inst, back, 5, &len), -EIO);
	CHECK_EQ(len, 7);
	CHECK(memchr(back, 'd', sizeof back) == NULL);
	media[PRMEM_PAGE_SIZE - 1] = 'd';
	CHECK_EQ(prmem_get_data(inst, back, 99, &len), -ERANGE);
	CHECK_EQ(len, 100);
	CHECK_EQ(prmem_get_data(inst, back, 100, &len), 0);
	prmem_put(inst);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(data_is_the_copy_that_was_checked), CASE(damaged_data_is_never_returned))
