/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A slot that is damaged while the pool is open may name a page of another
 * index, or of another disk.  Writing there again must not cost that one its
 * page (promise P3).
 */
#include <errno.h>

#include "prmem/core/pool.h"
#include "prmem/instance/instance_types.h"
#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE
#define NR 64u /* pages of each disk, all of them written */

static void
write_page(struct prmem_disk *disk, uint32_t idx, unsigned char c)
{
	char buf[PAGE];

	memset(buf, c, sizeof buf);
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, (uint64_t)idx * PAGE), 0);
}

/* Return: the byte that fills the page, or a negative errno. */
static int
read_page(struct prmem_disk *disk, uint32_t idx)
{
	unsigned char buf[PAGE];
	int r = prmem_disk_read(disk, buf, PAGE, (uint64_t)idx * PAGE);

	for (size_t i = 1; i < PAGE && r == 0; i++)
		CHECK_EQ(buf[i], buf[0]);
	return r < 0 ? r : buf[0];
}

static pm_slot *
slot_of(struct prmem_disk *disk_public, uint32_t idx)
{
	struct prmem_instance *inst = *(struct prmem_instance **)(void *)disk_public;
	uint64_t root = atomic_load(&inst->xa.root);

	CHECK_EQ(root >> 32, 1); /* one leaf */
	return (pm_slot *)pool_page(inst->pool, (uint32_t)root) + idx;
}

/* The slot names the page of another one, with its own proof. */
static void
misdirect(pm_slot *slot, pm_slot *to)
{
	uint64_t has = le64toh(atomic_load(slot)), other = le64toh(atomic_load(to));

	atomic_store(slot, htole64((has & ~UINT64_C(0xffffffff)) | (other & UINT64_C(0xffffffff))));
}

enum how { WRITE, WRITE_PART, ZERO_FEW, ZERO_MANY };

static void
rewrite(struct prmem_disk *disk, enum how how)
{
	switch (how) {
	case WRITE:
		write_page(disk, 3, 'n');
		break;
	case WRITE_PART:
		CHECK_EQ(prmem_disk_write(disk, "x", 1, 3 * PAGE + 5), -EIO);
		write_page(disk, 3, 'n');
		break;
	case ZERO_FEW:
		CHECK_EQ(prmem_disk_zero(disk, PAGE, 3 * PAGE), 0);
		break;
	case ZERO_MANY:
		CHECK_EQ(prmem_disk_zero(disk, NR * PAGE, 0), 0);
		break;
	}
}

/*
 * Once the damage has been met, here by a read, the page that the slot names
 * stays its owner's, whatever is written where and how often.
 */
static void
costs_nobody_else(enum how how)
{
	struct temp_pool t;
	struct prmem_disk *a, *b;
	uint64_t nr_free;

	temp_pool_make(&t, 4 << 20);
	a = temp_disk(&t, "a", NR * PAGE);
	b = temp_disk(&t, "b", NR * PAGE);
	for (uint32_t i = 0; i < NR; i++) {
		write_page(a, i, (unsigned char)(i + 1));
		write_page(b, i, (unsigned char)(i + 101));
	}
	nr_free = temp_pool_free_pages(&t);
	misdirect(slot_of(a, 3), slot_of(b, 7));
	CHECK_EQ(read_page(a, 3), -EIO);
	rewrite(a, how);
	for (int round = 0; round < 40; round++)
		for (uint32_t i = 0; i < NR; i++)
			write_page(a, i, (unsigned char)round);
	for (uint32_t i = 0; i < NR; i++)
		CHECK_EQ(read_page(a, i), 39);
	for (uint32_t i = 0; i < NR; i++)
		CHECK_EQ(read_page(b, i), i + 101);
	prmem_disk_close(a);
	prmem_disk_close(b);
	/* What nobody names any more comes back with the next open. */
	temp_pool_reopen(&t);
	CHECK_EQ(temp_pool_free_pages(&t), nr_free);
	temp_pool_remove(&t);
}

static void
writing_where_a_slot_was_damaged(void)
{
	costs_nobody_else(WRITE);
	costs_nobody_else(WRITE_PART);
}

static void
zeroing_where_a_slot_was_damaged(void)
{
	costs_nobody_else(ZERO_FEW);
	costs_nobody_else(ZERO_MANY);
}

/* Pages whose content was damaged are not leaked until the pool is full. */
static void
a_full_pool_is_rewritten_however_much_was_damaged(void)
{
	struct prmem_instance *inst;
	struct temp_pool t;
	struct prmem_disk *d;
	uint32_t nr = 0;
	char buf[PAGE];

	temp_pool_make(&t, 2 << 20);
	d = temp_disk(&t, "d", 2 << 20);
	memset(buf, 'x', sizeof buf);
	while (prmem_disk_write(d, buf, PAGE, (uint64_t)nr * PAGE) == 0)
		nr++;
	CHECK(nr > 400);
	inst = *(struct prmem_instance **)(void *)d;
	for (uint32_t i = 0; i < nr; i++) {
		char *page = pool_page(inst->pool, (uint32_t)le64toh(atomic_load(slot_of(d, i))));

		page[i] ^= 1;
	}
	for (uint32_t i = 0; i < nr; i++) {
		CHECK_EQ(read_page(d, i), -EIO);
		write_page(d, i, 'y');
	}
	for (uint32_t i = 0; i < nr; i++)
		CHECK_EQ(read_page(d, i), 'y');
	prmem_disk_close(d);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(writing_where_a_slot_was_damaged), CASE(zeroing_where_a_slot_was_damaged),
	  CASE(a_full_pool_is_rewritten_however_much_was_damaged))
