/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prmem_disk_slot(): what it says of a slot of each kind, and what it does
 * where memory is bad or the caller's struct has another size.
 * (tests/ctl/ctl-debug.sh damages pools that are closed.)
 */
#include <errno.h>
#include <sys/mman.h>

#include "prmem/core/pool.h"
#include "prmem/instance/instance_types.h"
#include "tests/unit/temp_pool.h"
#include "xarray/xa_internal.h"
#include "xarray/xarray_format.h"

#define PAGE PRMEM_PAGE_SIZE

static struct temp_pool t;
static struct prmem_disk *disk;

static struct prmem_instance *
instance(void)
{
	return *(struct prmem_instance **)(void *)disk;
}

/* A disk of 8 pages, of which the second is written. */
static void
set_up(void)
{
	char buf[PAGE];

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 8 * PAGE);
	memset(buf, 'x', sizeof buf);
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, PAGE), 0);
}

static void
tear_down(void)
{
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static struct prmem_slot
slot_at(uint64_t off)
{
	struct prmem_slot slot;

	CHECK_EQ(prmem_disk_slot(disk, off, &slot, sizeof slot), 0);
	return slot;
}

static void
a_page_and_a_hole(void)
{
	struct prmem_slot slot;

	set_up();
	slot = slot_at(PAGE + 1);
	CHECK_EQ(slot.kind, PRMEM_SLOT_PAGE);
	CHECK(slot.verifies && slot.in_node && !slot.unreadable);
	CHECK_EQ(slot.off, PAGE);
	CHECK_EQ(slot.len_bytes, PAGE);
	CHECK_EQ(slot.number, 1);
	CHECK_EQ(slot.level, 0);
	CHECK_EQ(slot.lineage, instance()->xa.lineage);
	CHECK_EQ(slot.node_page, (uint32_t)atomic_load(&instance()->xa.root));
	CHECK_EQ(slot.slot, xa_load(&instance()->xa, 1));
	CHECK_EQ(slot.payload, (uint32_t)slot.slot);
	CHECK_EQ(slot.proof, slot.slot >> 36);
	CHECK_EQ(slot.expected, slot.slot);
	CHECK_EQ(*(char *)pool_page(instance()->pool, slot.payload), 'x');
	slot = slot_at(0);
	CHECK_EQ(slot.kind, PRMEM_SLOT_HOLE);
	CHECK(slot.verifies && slot.in_node);
	CHECK_EQ(slot.number, 0);
	CHECK_EQ(prmem_disk_slot(disk, 8 * PAGE, &slot, sizeof slot), -EINVAL);
	CHECK_EQ(slot.kind, PRMEM_SLOT_HOLE);
	tear_down();
}

/* Kinds that no disk has of itself: they are in its array all the same. */
static void
every_other_kind(void)
{
	struct xarray *xa;
	struct prmem_slot slot;
	void *object;
	xa_entry_t entry;

	set_up();
	xa = &instance()->xa;
	CHECK_EQ(xa_store(xa, 2, xa_mk_value(77)), 0);
	slot = slot_at(2 * PAGE);
	CHECK_EQ(slot.kind, PRMEM_SLOT_VALUE);
	CHECK_EQ(slot.payload, 77);
	CHECK(slot.verifies);
	CHECK_EQ(prmem_alloc(t.pool, 100, &object), 0);
	memset(object, 'b', 100);
	CHECK_EQ(prmem_mk_entry(instance(), 3, object, &entry), 0);
	CHECK_EQ(xa_store(xa, 3, entry), 0);
	slot = slot_at(3 * PAGE);
	CHECK_EQ(slot.kind, PRMEM_SLOT_BUFFER);
	CHECK(slot.verifies);
	((char *)object)[50] ^= 1;
	slot = slot_at(3 * PAGE);
	CHECK(!slot.verifies && !slot.unreadable);
	CHECK(slot.expected_proof != slot.proof);
	((char *)object)[50] ^= 1;
	CHECK_EQ(prmem_alloc_pages(t.pool, 2, &object), 0);
	memset(object, 'r', 4 * PAGE);
	CHECK_EQ(prmem_mk_entry(instance(), 4, object, &entry), 0);
	CHECK_EQ(xa_store(xa, 4, entry), 0);
	slot = slot_at(4 * PAGE);
	CHECK_EQ(slot.kind, PRMEM_SLOT_RUN);
	CHECK(slot.verifies);
	CHECK_EQ(xa_store(xa, 5, xa_mk_entry(XA_KIND_BAD, 99, 0)), 0);
	slot = slot_at(5 * PAGE);
	CHECK_EQ(slot.kind, PRMEM_SLOT_BAD);
	CHECK_EQ(slot.payload, 99);
	CHECK(slot.verifies);
	CHECK_EQ(xa_store(xa, 6, xa_mk_entry(XA_KIND_BAD, UINT32_MAX, 0)), 0);
	slot = slot_at(6 * PAGE);
	CHECK_EQ(slot.kind, PRMEM_SLOT_LOST);
	CHECK(slot.verifies);
	/* A slot is of its place: the same bits one further prove nothing. */
	atomic_store((pm_slot *)pool_page(t.pool, slot.node_page) + 7, htole64(slot.slot));
	slot = slot_at(7 * PAGE);
	CHECK_EQ(slot.kind, PRMEM_SLOT_LOST);
	CHECK(!slot.verifies);
	atomic_store((pm_slot *)pool_page(t.pool, slot.node_page) + 7, 0);
	slot = slot_at(7 * PAGE);
	CHECK_EQ(slot.kind, PRMEM_SLOT_UNKNOWN);
	CHECK(!slot.verifies);
	CHECK_EQ(slot.expected, 0);
	tear_down();
}

static void
a_page_whose_memory_is_bad(void)
{
	struct prmem_slot slot;
	FILE *empty = tmpfile();

	set_up();
	slot = slot_at(PAGE);
	/* To touch a page beyond the end of a mapped file is SIGBUS. */
	CHECK(empty != NULL && mmap(pool_page(t.pool, slot.payload), PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, fileno(empty), 0) != MAP_FAILED);
	slot = slot_at(PAGE);
	CHECK(slot.unreadable && !slot.verifies);
	CHECK_EQ(slot.kind, PRMEM_SLOT_PAGE);
	CHECK_EQ(slot.expected, 0);
	fclose(empty);
	tear_down();
}

static void
callers_of_other_versions(void)
{
	struct {
		struct prmem_slot slot;
		unsigned char more[16];
	} newer;
	struct prmem_slot slot, older;

	set_up();
	slot = slot_at(PAGE);
	memset(&newer, 0xff, sizeof newer);
	CHECK_EQ(prmem_disk_slot(disk, PAGE, &newer.slot, sizeof newer), 0);
	CHECK_EQ(newer.slot.slot, slot.slot);
	for (size_t i = 0; i < sizeof newer.more; i++)
		CHECK_EQ(newer.more[i], 0);
	memset(&older, 0xff, sizeof older);
	CHECK_EQ(prmem_disk_slot(disk, PAGE, &older, 32), 0);
	CHECK_EQ(older.slot, slot.slot);
	CHECK_EQ(older.expected, UINT64_MAX);
	tear_down();
}

static void
a_disk_that_was_removed(void)
{
	struct prmem_slot slot;
	struct prmem_error err;

	set_up();
	CHECK_EQ(prmem_disk_remove(t.pool, "d", PRMEM_REMOVE_FORCE, NULL, NULL, &err), 0);
	CHECK_EQ(prmem_disk_slot(disk, 0, &slot, sizeof slot), -ESHUTDOWN);
	tear_down();
}

UNIT_MAIN(CASE(a_page_and_a_hole), CASE(every_other_kind), CASE(a_page_whose_memory_is_bad),
	  CASE(callers_of_other_versions), CASE(a_disk_that_was_removed))
