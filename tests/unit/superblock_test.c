/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two superblocks: what each kind of damage and each crash leaves of them.
 */
#include "prmem/memory/superblock.h"

#include <errno.h>

#include "prmem/memory/superblock_create.h"
#include "tests/unit/torn_pm.h"

#define A ((size_t)SB_PFN_A * 4096)
#define B ((size_t)SB_PFN_B * 4096)

static char memory[TORN_BYTES];
static const uint8_t uuid1[16] = {1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t uuid2[16] = {99, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16};

static struct pm
pm_of(char *content)
{
	return (struct pm){.base = content, .len_bytes = TORN_BYTES, .is_pmem = true};
}

/* Read what a piece of memory holds. */
static enum sb_state
look(char *content, struct sb_media *ret_sb, struct prmem_error *ret_what)
{
	struct pm pm = pm_of(content);
	bool ro;

	memset(ret_what, 0, sizeof *ret_what);
	return sb_read(&pm, ret_sb, &ro, ret_what);
}

static void
seal(struct sb_media *sb)
{
	sb->crc = cpu_to_le32(sb_crc(sb));
}

static void
put(const struct sb_media *sb)
{
	memcpy(memory + A, sb, sizeof *sb);
	memcpy(memory + B, sb, sizeof *sb);
}

/* A pool with a past: sequence number 57, a directory. */
static void
make_pool(struct sb_media *ret_sb)
{
	memset(memory, 0x5a, sizeof memory);
	sb_make(ret_sb, sizeof memory, uuid1, 1700000000, "cellar");
	ret_sb->seq = cpu_to_le64(57);
	ret_sb->dir_root = cpu_to_le64(0x123456789);
	ret_sb->dir_height = cpu_to_le32(2);
	seal(ret_sb);
	put(ret_sb);
}

static void
a_new_pool_reads_good(void)
{
	struct prmem_error what;
	struct sb_media sb, made;

	memset(memory, 0, sizeof memory);
	CHECK_EQ(look(memory, &sb, &what), SB_BLANK);
	CHECK_EQ(what.code, -EMEDIUMTYPE);

	sb_make(&made, sizeof memory, uuid1, 1700000000, "cellar");
	put(&made);
	CHECK_EQ(look(memory, &sb, &what), SB_GOOD);
	CHECK(memcmp(&sb, &made, sizeof sb) == 0);
	CHECK_EQ(le64_to_cpu(sb.seq), 1);
	CHECK_EQ(le64_to_cpu(sb.nr_pages), 64);
	CHECK_EQ(le64_to_cpu(sb.regions[0].nr_pages), 64);
	CHECK_EQ(le64_to_cpu(sb.dir_root), 0);
	CHECK_STR(sb.label, "cellar");

	/* A tail that is no page, and what a pool cannot address, are left out. */
	sb_make(&made, (UINT64_C(1) << 30) + 4095, uuid1, 0, NULL);
	CHECK_EQ(le64_to_cpu(made.nr_pages), 1 << 18);
	sb_make(&made, UINT64_MAX, uuid1, 0, NULL);
	CHECK_EQ(le64_to_cpu(made.nr_pages), INT64_C(1) << 32);
}

static void
each_single_bit_flip_leaves_a_good_copy(void)
{
	static const size_t place[2] = {A, B};
	static const char *const name[2] = {"superblock A (page 0)", "superblock B (page 32)"};
	const uint32_t nr_bits = 8 * 4096, step = nr_bits / (uint32_t)unit_rounds((int)nr_bits);
	struct prmem_error what;
	struct sb_media good, sb;

	make_pool(&good);
	for (int copy = 0; copy < 2; copy++) {
		for (uint32_t bit = (uint32_t)(unit_random() % step); bit < nr_bits; bit += step) {
			memory[place[copy] + bit / 8] ^= (char)(1u << bit % 8);
			CHECK_EQ(look(memory, &sb, &what), SB_REPAIR);
			CHECK(memcmp(&sb, &good, sizeof sb) == 0);
			CHECK(strstr(what.message, name[copy]) != NULL);
			memory[place[copy] + bit / 8] ^= (char)(1u << bit % 8);
		}
	}
	CHECK_EQ(look(memory, &sb, &what), SB_GOOD);
}

/* Both damaged is never taken for blank, foreign or interrupted, all of which may lead to a format. */
static void
two_damaged_copies_are_damage(void)
{
	struct prmem_error what;
	struct sb_media good, sb;

	make_pool(&good);
	for (int i = 0; i < unit_rounds(20000); i++) {
		/* Behind the magic, which a pair of flips could take from both. */
		uint32_t bit_a = 64 + (uint32_t)(unit_random() % (8 * 4096 - 64));
		uint32_t bit_b = (uint32_t)(unit_random() % (8 * 4096));

		memory[A + bit_a / 8] ^= (char)(1u << bit_a % 8);
		memory[B + bit_b / 8] ^= (char)(1u << bit_b % 8);
		CHECK_EQ(look(memory, &sb, &what), SB_DAMAGED);
		CHECK_EQ(what.code, -EIO);
		CHECK(strstr(what.message, "both superblocks are useless") != NULL);
		memory[A + bit_a / 8] ^= (char)(1u << bit_a % 8);
		memory[B + bit_b / 8] ^= (char)(1u << bit_b % 8);
	}
	/* One copy erased, the other one damaged. */
	memset(memory + A, 0, 4096);
	memory[B + 100] ^= 1;
	CHECK_EQ(look(memory, &sb, &what), SB_DAMAGED);
	/* Nothing left that says pool, but not blank: foreign, which is refused as well. */
	memset(memory + B, 0xff, 8);
	CHECK_EQ(look(memory, &sb, &what), SB_FOREIGN);
	CHECK_EQ(what.code, -EMEDIUMTYPE);
}

static void
an_erased_copy_is_named_so(void)
{
	struct prmem_error what;
	struct sb_media good, sb;

	make_pool(&good);
	memset(memory + B, 0, 4096);
	CHECK_EQ(look(memory, &sb, &what), SB_REPAIR);
	CHECK(strstr(what.message, "superblock B (page 32) is all zeroes") != NULL);
	memset(memory + B, 0xff, 4096);
	CHECK_EQ(look(memory, &sb, &what), SB_REPAIR);
	CHECK(strstr(what.message, "superblock B (page 32) is damaged (it has no magic number)") != NULL);
}

static void
the_higher_sequence_number_wins(void)
{
	struct prmem_error what;
	struct sb_media older, newer, sb;

	make_pool(&older);
	newer = older;
	newer.seq = cpu_to_le64(58);
	newer.dir_height = cpu_to_le32(3);
	seal(&newer);
	memcpy(memory + B, &newer, sizeof newer);
	CHECK_EQ(look(memory, &sb, &what), SB_REPAIR);
	CHECK(memcmp(&sb, &newer, sizeof sb) == 0);
	CHECK(strstr(what.message, "superblock A (page 0) is behind") != NULL);

	memcpy(memory + A, &newer, sizeof newer);
	memcpy(memory + B, &older, sizeof newer);
	CHECK_EQ(look(memory, &sb, &what), SB_REPAIR);
	CHECK(memcmp(&sb, &newer, sizeof sb) == 0);
	CHECK(strstr(what.message, "superblock B (page 32) is behind") != NULL);
}

static void
pairs_that_no_crash_leaves_are_refused(void)
{
	struct prmem_error what;
	struct sb_media sb, other;

	make_pool(&other);
	memcpy(other.uuid, uuid2, 16);
	other.seq = cpu_to_le64(1);
	seal(&other);
	memcpy(memory + B, &other, sizeof other);
	CHECK_EQ(look(memory, &sb, &what), SB_WRONG);
	CHECK(strstr(what.message, "two different pools") != NULL);

	make_pool(&other);
	other.created_s = cpu_to_le64(5);
	seal(&other);
	memcpy(memory + B, &other, sizeof other);
	CHECK_EQ(look(memory, &sb, &what), SB_WRONG);
	CHECK(strstr(what.message, "differ under one sequence number") != NULL);
}

/* ---- crashes ---- */

static struct sb_media was, will;

/* Old or new, never anything else; the new one once it was acknowledged. */
static bool acknowledged;

static bool
old_or_new(struct torn_pm *t)
{
	struct prmem_error what;
	struct sb_media sb;
	enum sb_state state = look(t->image, &sb, &what);

	if (state != SB_GOOD && state != SB_REPAIR)
		return false;
	if (memcmp(&sb, &will, sizeof sb) == 0)
		return true;
	return !acknowledged && memcmp(&sb, &was, sizeof sb) == 0;
}

/* Two updates in a row: the first one must be whole before the second one starts. */
static uint64_t
update_twice(enum pm_site skip, uint64_t *ret_images)
{
	struct torn_pm *t;
	struct sb_media sb;
	uint64_t nr_wrong;

	make_pool(&was);
	t = torn_new(memory, old_or_new, skip);
	sb = was;
	for (uint32_t i = 0; i < 2; i++) {
		will = sb;
		will.dir_root = cpu_to_le64(0xabcdef + i);
		memset(will.label, 'x' + (int)i, 40);
		will.seq = cpu_to_le64(58 + i);
		seal(&will);
		sb.dir_root = will.dir_root;
		memcpy(sb.label, will.label, sizeof sb.label);
		acknowledged = false;
		CHECK_EQ(sb_write(&t->pm, &sb), 0);
		acknowledged = true;
		torn_enumerate(t);
		CHECK(memcmp(&sb, &will, sizeof sb) == 0);
		was = will;
	}
	nr_wrong = t->nr_wrong;
	if (ret_images)
		*ret_images = t->nr_images;
	free(t);
	return nr_wrong;
}

static void
an_update_cut_anywhere_leaves_old_or_new(void)
{
	static const enum pm_site planted[] = {PM_SITE_SB_FIRST_COPY, PM_SITE_SB_FIRST_FENCE, PM_SITE_SB_SECOND_FENCE};
	uint64_t nr_images = 0;

	CHECK_EQ(update_twice(TORN_NO_SITE, &nr_images), 0);
	printf("  %" PRIu64 " images\n", nr_images);
	CHECK(nr_images > 100);
	/* Planted errors: the judge must see each. */
	for (size_t i = 0; i < ARRAY_SIZE(planted); i++)
		CHECK(update_twice(planted[i], NULL) > 0);
}

static bool
still_good(struct torn_pm *t)
{
	struct prmem_error what;
	struct sb_media sb;
	enum sb_state state = look(t->image, &sb, &what);

	if (acknowledged)
		return state == SB_GOOD && memcmp(&sb, &will, sizeof sb) == 0;
	return (state == SB_GOOD || state == SB_REPAIR) && memcmp(&sb, &will, sizeof sb) == 0;
}

static void
a_repair_cut_anywhere_can_be_repeated(void)
{
	static const size_t place[2] = {A, B};

	for (int copy = 0; copy < 2; copy++) {
		for (int how = 0; how < 3; how++) {
			struct torn_pm *t;
			struct sb_media sb;
			struct prmem_error what;

			make_pool(&will);
			if (how == 0) {
				memset(memory + place[copy], 0, 4096);
			} else if (how == 1) {
				for (int i = 0; i < 4096; i++)
					memory[place[copy] + (size_t)i] = (char)unit_random();
			} else {
				sb = will;
				sb.seq = cpu_to_le64(56);
				sb.label[0] = 'X';
				seal(&sb);
				memcpy(memory + place[copy], &sb, sizeof sb);
			}
			CHECK_EQ(look(memory, &sb, &what), SB_REPAIR);
			acknowledged = false;
			t = torn_new(memory, still_good, TORN_NO_SITE);
			sb_repair(&t->pm, &sb);
			acknowledged = true;
			torn_enumerate(t);
			CHECK_EQ(t->nr_wrong, 0);
			free(t);
		}
	}
}

/* What a format found, and what it may leave. */
static enum sb_state before;

static bool
format_left_something_sane(struct torn_pm *t)
{
	struct prmem_error what;
	struct sb_media sb;
	enum sb_state state = look(t->image, &sb, &what);

	if (state == SB_GOOD || state == SB_REPAIR) {
		if (memcmp(&sb, &will, sizeof sb) == 0)
			return true;
		/*
		 * The old pool, as it was: also where both of its superblocks
		 * were damaged and the only piece of the new B that got there
		 * is the one that heals the old B.
		 */
		return !acknowledged && (before == SB_GOOD || before == SB_REPAIR || before == SB_DAMAGED) &&
		       memcmp(&sb, &was, sizeof sb) == 0;
	}
	if (acknowledged)
		return false;
	/* The mark says so, or not a byte was changed. */
	return state == SB_INTERRUPTED || (state == before && memcmp(t->image, memory, sizeof memory) == 0);
}

enum content { BLANK, FOREIGN, POOL, POOL_A_DAMAGED, POOL_B_DAMAGED, POOL_BOTH_DAMAGED, HALF_FORMATTED, NR_CONTENTS };

static uint64_t
format_over(enum content content, enum pm_site skip)
{
	struct prmem_error what;
	struct sb_media sb, made;
	struct torn_pm *t;
	uint64_t nr_wrong;

	make_pool(&was);
	switch (content) {
	case BLANK:
		memset(memory, 0, sizeof memory);
		break;
	case FOREIGN:
		for (size_t i = 0; i < sizeof memory; i++)
			memory[i] = (char)unit_random();
		break;
	case POOL_A_DAMAGED:
		memory[A + 2000] ^= 4;
		break;
	case POOL_B_DAMAGED:
		memory[B + 2000] ^= 4;
		break;
	case POOL_BOTH_DAMAGED:
		memory[A + 2000] ^= 4;
		memory[B + 2000] ^= 4;
		break;
	case HALF_FORMATTED:
		memset(memory, 0, sizeof memory);
		memcpy(memory + A, &(uint64_t){htole64(SB_MAGIC_FORMATTING)}, 8);
		break;
	default:
		break;
	}
	before = look(memory, &sb, &what);
	sb_make(&will, sizeof memory, uuid2, 1800000000, "");
	acknowledged = false;
	t = torn_new(memory, format_left_something_sane, skip);
	sb_format(&t->pm, &made, uuid2, 1800000000, "");
	acknowledged = true;
	torn_enumerate(t);
	CHECK(memcmp(&made, &will, sizeof made) == 0);
	nr_wrong = t->nr_wrong;
	free(t);
	return nr_wrong;
}

static void
a_format_cut_anywhere_is_known_as_such(void)
{
	static const enum pm_site planted[] = {
		PM_SITE_FORMAT_MARK_STORE, PM_SITE_FORMAT_MARK_FLUSH, PM_SITE_FORMAT_MARK_FENCE,
		PM_SITE_FORMAT_WIPE_COPY,  PM_SITE_SB_FIRST_COPY,     PM_SITE_SB_FIRST_FENCE,
	};

	for (int content = 0; content < NR_CONTENTS; content++)
		CHECK_EQ(format_over((enum content)content, TORN_NO_SITE), 0);

	for (size_t i = 0; i < ARRAY_SIZE(planted); i++) {
		uint64_t nr_wrong = 0;

		for (int content = 0; content < NR_CONTENTS; content++)
			nr_wrong += format_over((enum content)content, planted[i]);
		CHECK(nr_wrong > 0);
	}
}

static bool
anything(struct torn_pm *t)
{
	(void)t;
	return true;
}

/* Page cache is written back in any order: what a step relies on is synced before, and a failure ends it. */
static void
on_page_cache_a_sync_goes_between(void)
{
	struct prmem_error what;
	struct sb_media sb, got;
	struct torn_pm *t;

	make_pool(&sb);
	was = sb;
	t = torn_new(memory, anything, TORN_NO_SITE);
	t->pm.is_pmem = false;
	CHECK_EQ(sb_write(&t->pm, &sb), 0);
	CHECK_EQ(t->nr_syncs, 1);
	sb_format(&t->pm, NULL, uuid2, 0, NULL);
	CHECK_EQ(t->nr_syncs, 4);
	free(t);

	sb = was;
	t = torn_new(memory, anything, TORN_NO_SITE);
	t->pm.is_pmem = false;
	t->sync_result = -EIO;
	CHECK_EQ(sb_write(&t->pm, &sb), -EIO);
	CHECK(memcmp(t->visible + A, &was, sizeof was) == 0);
	CHECK_EQ(look(t->visible, &got, &what), SB_REPAIR);
	CHECK(memcmp(&got, &sb, sizeof sb) == 0);
	free(t);

	t = torn_new(memory, anything, TORN_NO_SITE);
	t->pm.is_pmem = false;
	t->sync_result = -EIO;
	sb_format(&t->pm, NULL, uuid2, 0, NULL);
	CHECK_EQ(look(t->visible, &got, &what), SB_REPAIR);
	CHECK(memcmp(&got, &was, sizeof was) == 0);
	free(t);
}

/* ---- content that is whole, and nonsense ---- */

static enum sb_state
look_at(struct sb_media *sb, struct prmem_error *what)
{
	struct sb_media got;

	seal(sb);
	put(sb);
	return look(memory, &got, what);
}

static void
impossible_content_is_refused(void)
{
	struct prmem_error what;
	struct sb_media good, sb;

	make_pool(&good);
#define REFUSED(change, fragment)                                                                                      \
	do {                                                                                                           \
		sb = good;                                                                                             \
		change;                                                                                                \
		CHECK_EQ(look_at(&sb, &what), SB_WRONG);                                                               \
		CHECK_EQ(what.code, -EINVAL);                                                                          \
		CHECK(strstr(what.message, fragment) != NULL);                                                         \
	} while (0)
	REFUSED(sb.version = cpu_to_le32(0), "version 0");
	REFUSED(sb.chunk_shift = cpu_to_le32(8), "index bits");
	REFUSED(sb.seq = cpu_to_le64(0), "sequence number 0");
	REFUSED(sb.dir_height = cpu_to_le32(5), "height 5");
	REFUSED(sb.dir_height = cpu_to_le32(0), "height 0 with a root");
	REFUSED(sb.dir_root = cpu_to_le64(0), "height 2 with no root");
	REFUSED(sb.nr_regions = cpu_to_le32(0), "0 regions");
	REFUSED(sb.nr_regions = cpu_to_le32(17), "17 regions");
	REFUSED(sb.nr_regions = cpu_to_le32(UINT32_MAX), "regions");
	REFUSED(sb.nr_regions = cpu_to_le32(2), "region 1 of 0 pages at page 0");
	REFUSED(sb.nr_pages = cpu_to_le64(63), "63 pages");
	REFUSED(sb.nr_pages = cpu_to_le64(65), "its regions have 64 pages, and it says 65");
	REFUSED(sb.nr_pages = cpu_to_le64(UINT64_MAX), "pages");
	REFUSED(sb.nr_pages = cpu_to_le64((UINT64_C(1) << 32) + 1), "pages");
	REFUSED(sb.regions[0].nr_pages = cpu_to_le64(63), "region 0 of 63 pages");
	REFUSED(sb.regions[0].nr_pages = cpu_to_le64(UINT64_MAX), "region 0");
	REFUSED(sb.regions[0].start_pfn = cpu_to_le64(1), "region 0 of 64 pages at page 1");
	REFUSED(sb.grow_to_pages = cpu_to_le64(64), "grows from 64 to 64");
	REFUSED(sb.grow_to_pages = cpu_to_le64(UINT64_MAX), "grows from 64");
	REFUSED(
		{
			sb.nr_regions = cpu_to_le32(2);
			sb.nr_pages = cpu_to_le64(100);
			sb.regions[1].start_pfn = cpu_to_le64(65);
			sb.regions[1].nr_pages = cpu_to_le64(36);
		},
		"region 1 of 36 pages at page 65");
#undef REFUSED
	sb = good;
	sb.nr_regions = cpu_to_le32(2);
	sb.nr_pages = cpu_to_le64(100);
	sb.regions[1].start_pfn = cpu_to_le64(64);
	sb.regions[1].nr_pages = cpu_to_le64(36);
	CHECK_EQ(look_at(&sb, &what), SB_GOOD);
}

static void
unknown_features_are_named(void)
{
	struct prmem_error what;
	struct sb_media good, sb, got;
	struct pm pm = pm_of(memory);
	char text[32];
	bool ro;

	make_pool(&good);
	for (int bit = 0; bit < 64; bit++) {
		sb = good;
		sb.incompat = cpu_to_le64(UINT64_C(1) << bit);
		sb.nr_regions = cpu_to_le32(99); /* a newer version may mean anything by it */
		CHECK_EQ(look_at(&sb, &what), SB_NEWER);
		CHECK_EQ(what.code, -EPROTONOSUPPORT);
		snprintf(text, sizeof text, "incompat feature bit %d ", bit);
		CHECK(strstr(what.message, text) != NULL);

		sb = good;
		sb.ro_compat = cpu_to_le64(UINT64_C(1) << bit);
		CHECK_EQ(look_at(&sb, &what), SB_GOOD);
		CHECK_EQ(sb_read(&pm, &got, &ro, &what), SB_GOOD);
		CHECK(ro);

		sb = good;
		sb.compat = cpu_to_le64(UINT64_C(1) << bit);
		CHECK_EQ(look_at(&sb, &what), SB_GOOD);
		CHECK_EQ(sb_read(&pm, &got, &ro, &what), SB_GOOD);
		CHECK(!ro);
	}
	sb = good;
	sb.version = cpu_to_le32(2);
	CHECK_EQ(look_at(&sb, &what), SB_NEWER);
	CHECK(strstr(what.message, "format version 2") != NULL);
}

static void
reserved_bytes_do_not_matter(void)
{
	struct prmem_error what;
	struct sb_media sb;

	make_pool(&sb);
	memset(sb.reserved1, 0xff, sizeof sb.reserved1);
	memset(sb.reserved2, 0xff, sizeof sb.reserved2);
	memset(sb.reserved3, 0xff, sizeof sb.reserved3);
	memset(sb.label, 'x', sizeof sb.label); /* no NUL */
	memset(sb.regions[0].path, 'x', sizeof sb.regions[0].path);
	sb.regions[0].flags = cpu_to_le32(~0u);
	memset(&sb.regions[1], 0xff, sizeof sb.regions[1]);
	CHECK_EQ(look_at(&sb, &what), SB_GOOD);
}

/* Any bytes under a right CRC: whatever the verdict, no read beyond them (run under ASan). */
static void
garbage_under_a_right_crc_is_survived(void)
{
	struct prmem_error what;
	struct sb_media sb;

	make_pool(&sb);
	for (int i = 0; i < unit_rounds(50000); i++) {
		struct sb_media bad = sb;

		for (uint64_t n = unit_random() % 8 + 1; n > 0; n--) {
			uint64_t r = unit_random();
			size_t off = 8 + (size_t)(unit_random() % 60) * 8;

			if (r % 4 == 0)
				r = UINT64_MAX;
			else if (r % 4 == 1)
				r %= 100;
			memcpy((char *)&bad + off, &r, 8);
		}
		(void)look_at(&bad, &what);
	}
	for (int i = 0; i < 2000; i++) {
		uint64_t *p = (uint64_t *)(void *)&sb;

		for (size_t j = 1; j < sizeof sb / 8; j++)
			p[j] = unit_random();
		CHECK(look_at(&sb, &what) != SB_BLANK);
	}
}

static void
memory_that_is_too_short_is_refused(void)
{
	struct prmem_error what;
	struct sb_media sb;
	struct pm pm = pm_of(memory);
	bool ro;

	make_pool(&sb);
	for (uint64_t len = 0; len < SB_FORMAT_BYTES; len += 1234) {
		pm.len_bytes = len;
		CHECK_EQ(sb_read(&pm, &sb, &ro, &what), SB_FOREIGN);
		CHECK_EQ(what.code, -EINVAL);
	}
}

UNIT_MAIN(CASE(a_new_pool_reads_good), CASE(each_single_bit_flip_leaves_a_good_copy),
	  CASE(two_damaged_copies_are_damage), CASE(an_erased_copy_is_named_so), CASE(the_higher_sequence_number_wins),
	  CASE(pairs_that_no_crash_leaves_are_refused), CASE(an_update_cut_anywhere_leaves_old_or_new),
	  CASE(a_repair_cut_anywhere_can_be_repeated), CASE(a_format_cut_anywhere_is_known_as_such),
	  CASE(on_page_cache_a_sync_goes_between), CASE(impossible_content_is_refused),
	  CASE(unknown_features_are_named), CASE(reserved_bytes_do_not_matter),
	  CASE(garbage_under_a_right_crc_is_survived), CASE(memory_that_is_too_short_is_refused))
