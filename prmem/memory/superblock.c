/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading, judging, changing and repairing the superblock.
 *
 * The verdict of sb_read(), in this order; a copy is valid when its magic and
 * its CRC are right:
 *
 *	1. both valid       the higher sequence number; equal numbers must mean
 *	                    equal bytes, and both must have one UUID: no crash
 *	                    leaves anything else
 *	2. one valid        that one
 *	3. none valid, A's magic is the mark of a format: interrupted
 *	4. none valid, both pages zero: blank
 *	5. none valid, the magic of one is there: damaged
 *	6. else: foreign
 *
 * A valid copy is then checked: first for a newer version (a newer one may
 * put anything in the other fields), then for impossible content.
 */
#include "prmem/memory/superblock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/crc32c.h"
#include "prmem/memory/error.h"
#include "xarray/xarray_format.h"

#define PAGES_MIN (PRMEM_POOL_SIZE_MIN >> PRMEM_PAGE_SHIFT)
#define PAGES_MAX (PRMEM_POOL_SIZE_MAX >> PRMEM_PAGE_SHIFT)

/* What one place holds, read once: nothing below looks at the media again. */
struct copy {
	struct sb_media sb;
	bool valid;
	bool blank;
	const char *flaw; /* in words, when it is not valid */
};

static const char *const copy_name[2] = {"superblock A (page 0)", "superblock B (page 32)"};

static void *
sb_place(const struct pm *pm, uint32_t pfn)
{
	return (char *)pm->base + ((uint64_t)pfn << PRMEM_PAGE_SHIFT);
}

uint32_t
sb_crc(const struct sb_media *sb)
{
	return crc32c(0, sb, offsetof(struct sb_media, crc));
}

/*
 * Written from front to back, the number comes long before the CRC.  So B,
 * written first, has the new number and the CRC that both had; or A has the
 * number of B and the CRC of neither.  Single bits that went bad elsewhere look
 * otherwise.
 */
bool
sb_is_behind(const struct sb_media *copy, const struct sb_media *good)
{
	uint64_t seq = le64_to_cpu(copy->seq), good_seq = le64_to_cpu(good->seq);

	if (le64_to_cpu(copy->magic) == SB_MAGIC_FORMATTING)
		return true;
	if (le64_to_cpu(copy->magic) != SB_MAGIC || memcmp(copy->uuid, good->uuid, sizeof copy->uuid) != 0)
		return false;
	if (le32_to_cpu(copy->crc) == sb_crc(copy))
		return seq < good_seq;
	return (seq == good_seq + 1 && le32_to_cpu(copy->crc) == le32_to_cpu(good->crc)) ||
	       (seq == good_seq && le32_to_cpu(copy->crc) != le32_to_cpu(good->crc));
}

static void
copy_read(const struct pm *pm, uint32_t pfn, struct copy *copy)
{
	uint64_t magic;

	memcpy(&copy->sb, sb_place(pm, pfn), sizeof copy->sb);
	magic = le64_to_cpu(copy->sb.magic);
	copy->blank = mem_is_zero(&copy->sb, sizeof copy->sb);
	copy->valid = magic == SB_MAGIC && le32_to_cpu(copy->sb.crc) == sb_crc(&copy->sb);
	if (copy->blank)
		copy->flaw = "is all zeroes";
	else if (magic == SB_MAGIC_FORMATTING)
		copy->flaw = "is marked by a format that was interrupted";
	else if (magic != SB_MAGIC)
		copy->flaw = "is damaged (it has no magic number)";
	else
		copy->flaw = "is damaged (its checksum is wrong)";
}

static enum sb_state
no_valid_copy(const struct copy *a, const struct copy *b, struct prmem_error *what)
{
	if (le64_to_cpu(a->sb.magic) == SB_MAGIC_FORMATTING) {
		error_set(what, -EMEDIUMTYPE, "an earlier format of it was interrupted");
		return SB_INTERRUPTED;
	}
	if (a->blank && b->blank) {
		error_set(what, -EMEDIUMTYPE, "there is no pool on it, it is blank");
		return SB_BLANK;
	}
	if (le64_to_cpu(a->sb.magic) == SB_MAGIC || le64_to_cpu(b->sb.magic) == SB_MAGIC) {
		error_set(what, -EIO, "both superblocks are useless: A (page 0) %s, B (page 32) %s", a->flaw, b->flaw);
		return SB_DAMAGED;
	}
	error_set(what, -EMEDIUMTYPE, "it holds something that is no pool");
	return SB_FOREIGN;
}

/* Is it by a version that this one cannot follow? */
static bool
is_newer(const struct sb_media *sb, struct prmem_error *what)
{
	uint64_t unknown = le64_to_cpu(sb->incompat) & ~SB_INCOMPAT_KNOWN;

	if (unknown != 0) {
		error_set(what, -EPROTONOSUPPORT,
			  "made by a newer version of prmem: incompat feature bit %d is not known here",
			  __builtin_ctzll(unknown));
		return true;
	}
	if (le32_to_cpu(sb->version) > SB_VERSION) {
		error_set(what, -EPROTONOSUPPORT, "made by a newer version of prmem: format version %u, known is %u",
			  le32_to_cpu(sb->version), SB_VERSION);
		return true;
	}
	return false;
}

static int
check_regions(const struct sb_media *sb, struct prmem_error *what)
{
	uint64_t nr_pages = le64_to_cpu(sb->nr_pages);
	uint64_t next = 0;
	uint32_t nr = le32_to_cpu(sb->nr_regions);

	if (nr < 1 || nr > SB_MAX_REGIONS)
		return error_set(what, -EINVAL, "impossible superblock: %u regions", nr);
	if (nr_pages < PAGES_MIN || nr_pages > PAGES_MAX)
		return error_set(what, -EINVAL, "impossible superblock: %" PRIu64 " pages", nr_pages);
	for (uint32_t i = 0; i < nr; i++) {
		uint64_t start = le64_to_cpu(sb->regions[i].start_pfn);
		uint64_t len = le64_to_cpu(sb->regions[i].nr_pages);

		/* The first holds both superblocks, each later one a header and something to hand out. */
		if (start != next || len < (i == 0 ? PAGES_MIN : 2) || len > nr_pages - next)
			return error_set(what, -EINVAL,
					 "impossible superblock: region %u of %" PRIu64 " pages at page %" PRIu64, i,
					 len, start);
		next += len;
	}
	if (next != nr_pages)
		return error_set(what, -EINVAL,
				 "impossible superblock: its regions have %" PRIu64 " pages, and it says %" PRIu64,
				 next, nr_pages);
	return 0;
}

static int
check_fields(const struct sb_media *sb, struct prmem_error *what)
{
	uint64_t grow_to = le64_to_cpu(sb->grow_to_pages);
	uint32_t height = le32_to_cpu(sb->dir_height);

	if (le32_to_cpu(sb->version) == 0)
		return error_set(what, -EINVAL, "impossible superblock: version 0");
	if (le32_to_cpu(sb->chunk_shift) != XA_CHUNK_SHIFT)
		return error_set(what, -EINVAL,
				 "impossible superblock: its nodes resolve %u index bits, this program's %d",
				 le32_to_cpu(sb->chunk_shift), XA_CHUNK_SHIFT);
	if (le64_to_cpu(sb->seq) == 0)
		return error_set(what, -EINVAL, "impossible superblock: sequence number 0");
	if (height > XA_MAX_HEIGHT || (height == 0) != (le64_to_cpu(sb->dir_root) == 0))
		return error_set(what, -EINVAL, "impossible superblock: a directory of height %u with %s root", height,
				 le64_to_cpu(sb->dir_root) == 0 ? "no" : "a");
	if (grow_to != 0 && (grow_to <= le64_to_cpu(sb->nr_pages) || grow_to > PAGES_MAX))
		return error_set(what, -EINVAL, "impossible superblock: grows from %" PRIu64 " to %" PRIu64 " pages",
				 le64_to_cpu(sb->nr_pages), grow_to);
	return check_regions(sb, what);
}

/* Two valid copies.  Return: 0 or 1, the one to use; -1 when no crash of ours leaves such a pair. */
static int
newer_copy(const struct copy *c, struct prmem_error *what)
{
	uint64_t seq_a = le64_to_cpu(c[0].sb.seq);
	uint64_t seq_b = le64_to_cpu(c[1].sb.seq);

	if (memcmp(c[0].sb.uuid, c[1].sb.uuid, sizeof c[0].sb.uuid) != 0) {
		error_set(what, -EINVAL,
			  "impossible superblocks: A (page 0) and B (page 32) are of two different pools");
		return -1;
	}
	if (seq_a == seq_b && memcmp(&c[0].sb, &c[1].sb, sizeof c[0].sb) != 0) {
		error_set(what, -EINVAL,
			  "impossible superblocks: A (page 0) and B (page 32) differ under one sequence number");
		return -1;
	}
	return seq_b > seq_a;
}

enum sb_state
sb_read(const struct pm *pm, struct sb_media *ret_sb, bool *ret_ro, struct prmem_error *what)
{
	struct copy c[2];
	int use;
	bool alike = false;

	*ret_ro = false;
	if (pm->len_bytes < SB_FORMAT_BYTES) {
		error_set(what, -EINVAL, "too small for a pool: %" PRIu64 " bytes", pm->len_bytes);
		return SB_FOREIGN;
	}
	copy_read(pm, SB_PFN_A, &c[0]);
	copy_read(pm, SB_PFN_B, &c[1]);

	if (c[0].valid && c[1].valid) {
		use = newer_copy(c, what);
		if (use < 0)
			return SB_WRONG;
		alike = le64_to_cpu(c[0].sb.seq) == le64_to_cpu(c[1].sb.seq);
		if (!alike)
			error_set(what, -EIO, "%s is behind the other one", copy_name[!use]);
	} else if (c[0].valid || c[1].valid) {
		use = c[1].valid;
		error_set(what, -EIO, "%s %s", copy_name[!use], c[!use].flaw);
	} else {
		return no_valid_copy(&c[0], &c[1], what);
	}

	if (is_newer(&c[use].sb, what))
		return SB_NEWER;
	if (check_fields(&c[use].sb, what) < 0)
		return SB_WRONG;
	*ret_ro = (le64_to_cpu(c[use].sb.ro_compat) & ~SB_RO_COMPAT_KNOWN) != 0;
	*ret_sb = c[use].sb;
	return alike ? SB_GOOD : SB_REPAIR;
}

/*
 * Durable before: A, whole.  A crash in it tears B, whose CRC fails: A is
 * used.  A crash behind it leaves B ahead of A.
 */
static void
write_b(struct pm *pm, const struct sb_media *sb)
{
	pm_copy(pm, sb_place(pm, SB_PFN_B), sb, sizeof *sb, PM_SITE_SB_FIRST_COPY);
	pm_fence(pm, PM_SITE_SB_FIRST_FENCE);
}

/*
 * Durable before: B, whole.  A crash in it tears A, whose CRC fails: B is
 * used.  A crash behind it leaves both alike.
 */
static void
write_a(struct pm *pm, const struct sb_media *sb)
{
	pm_copy(pm, sb_place(pm, SB_PFN_A), sb, sizeof *sb, PM_SITE_SB_SECOND_COPY);
	pm_fence(pm, PM_SITE_SB_SECOND_FENCE);
}

int
sb_write_both(struct pm *pm, const struct sb_media *sb)
{
	int r = 0;

	write_b(pm, sb);
	/* Page cache is written back in any order: without this, both could be torn at once. */
	if (!pm->is_pmem)
		r = pm_sync(pm);
	if (r == 0)
		write_a(pm, sb);
	return r;
}

int
sb_write(struct pm *pm, struct sb_media *sb)
{
	sb->seq = cpu_to_le64(le64_to_cpu(sb->seq) + 1);
	sb->crc = cpu_to_le32(sb_crc(sb));
	return sb_write_both(pm, sb);
}

void
sb_repair(struct pm *pm, const struct sb_media *sb)
{
	/*
	 * The half of an update that is missing.  Never the other half, not
	 * even for a new sequence number: it is the only good copy.
	 */
	if (memcmp(sb_place(pm, SB_PFN_A), sb, sizeof *sb) != 0)
		write_a(pm, sb);
	else
		write_b(pm, sb);
}
