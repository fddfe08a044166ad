/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bitmap of pages that are not free.
 *
 * Taking is next-fit from the lane's cursor, so that a lane stays in a group
 * while it has room and threads mostly work on groups of their own.  The
 * number of free pages a group lets full ones be skipped at 256 a cache line.
 */
#include <stdlib.h>

#include "prmem/alloc/page_internal.h"

/*
 * How far to look for one consecutive piece before taking what there is:
 * groups to pass, and groups to look into.
 */
#define PIECE_FAR 2048u
#define PIECE_GROUPS 64u

static uint64_t
free_bits(const struct page_alloc *alloc, uint32_t w)
{
	return unit_is_ready(alloc, w) ? ~bitmap_word(alloc, w) : 0;
}

static void
set_bits(struct page_alloc *alloc, uint32_t w, uint64_t mask)
{
	atomic_store_explicit(&alloc->words[w], bitmap_word(alloc, w) | mask, memory_order_relaxed);
	alloc->group_free[w / GROUP_WORDS] -= (uint16_t)__builtin_popcountll(mask);
	alloc->nr_bitmap_free -= (uint64_t)__builtin_popcountll(mask);
}

/* Free pages in a row that end where a search has come to. */
struct row {
	uint32_t first;
	uint32_t len;
};

/* Where @nr set bits in a row begin in a word, or UNIT_PAGES; @nr < UNIT_PAGES. */
static uint32_t
find_in_word(uint64_t bits, uint32_t nr)
{
	/* After each step a bit says: so many begin here. */
	for (uint32_t have = 1; have < nr && bits != 0;) {
		uint32_t more = MIN(have, nr - have);

		bits &= bits >> more;
		have += more;
	}
	return bits == 0 ? UNIT_PAGES : (uint32_t)__builtin_ctzll(bits);
}

/* Go on through a word.  Return: is there a row of @nr pages? */
static bool
row_extend(struct row *row, uint64_t bits, uint32_t w, uint32_t nr)
{
	uint32_t first = w * UNIT_PAGES, at;

	if (row->len == 0)
		row->first = first;
	if (bits == ~UINT64_C(0)) {
		row->len += UNIT_PAGES;
		return row->len >= nr;
	}
	if (row->len + (uint32_t)__builtin_ctzll(~bits) >= nr)
		return true;
	at = nr < UNIT_PAGES ? find_in_word(bits, nr) : UNIT_PAGES;
	if (at < UNIT_PAGES) {
		row->first = first + at;
		return true;
	}
	row->len = (uint32_t)__builtin_clzll(~bits);
	row->first = first + UNIT_PAGES - row->len;
	return false;
}

/* The first of @nr consecutive free pages at or behind a group, not too far, or NO_PFN. */
static uint32_t
find_piece(const struct page_alloc *alloc, uint32_t group, uint32_t nr)
{
	/* The fewer they are, the less it matters. */
	uint32_t far = MIN(alloc->nr_groups, MIN(nr * 16, PIECE_FAR));
	struct row row = {0, 0};

	for (uint32_t i = 0, looked = 0; i < far && looked < PIECE_GROUPS; i++, group++) {
		if (group >= alloc->nr_groups) {
			group = 0;
			row.len = 0;
		}
		if (alloc->group_free[group] == 0) {
			row.len = 0;
			continue;
		}
		looked++;
		for (uint32_t w = group * GROUP_WORDS; w < (group + 1) * GROUP_WORDS; w++) {
			if (row_extend(&row, free_bits(alloc, w), w, nr))
				return row.first;
		}
	}
	return NO_PFN;
}

static void
take_piece(struct page_alloc *alloc, uint32_t pfn, uint32_t nr, uint32_t *pfns)
{
	uint64_t end = (uint64_t)pfn + nr;

	for (uint32_t w = pfn >> UNIT_SHIFT; (uint64_t)w << UNIT_SHIFT < end; w++)
		set_bits(alloc, w, word_mask(w, pfn, end));
	for (uint32_t i = 0; i < nr; i++)
		pfns[i] = pfn + i;
}

/* Take what a group has, up to @nr pages, in order. */
static uint32_t
take_from_group(struct page_alloc *alloc, uint32_t group, uint32_t nr, uint32_t *pfns)
{
	uint32_t n = 0;

	for (uint32_t w = group * GROUP_WORDS; w < (group + 1) * GROUP_WORDS && n < nr; w++) {
		uint64_t bits = free_bits(alloc, w), taken = 0;

		while (bits != 0 && n < nr) {
			uint64_t bit = bits & -bits;

			pfns[n++] = w * UNIT_PAGES + (uint32_t)__builtin_ctzll(bit);
			taken |= bit;
			bits ^= bit;
		}
		if (taken != 0)
			set_bits(alloc, w, taken);
	}
	return n;
}

uint32_t
bitmap_take_any_locked(struct page_alloc *alloc, uint32_t *cursor, uint32_t nr, uint32_t *pfns)
{
	uint32_t n = 0, group = *cursor;

	for (uint32_t i = 0; i < alloc->nr_groups && n < nr && alloc->nr_bitmap_free > 0; i++) {
		if (alloc->group_free[group] > 0)
			n += take_from_group(alloc, group, nr - n, pfns + n);
		if (n < nr)
			group = group + 1 == alloc->nr_groups ? 0 : group + 1;
	}
	*cursor = group;
	return n;
}

uint32_t
bitmap_take_locked(struct page_alloc *alloc, uint32_t *cursor, uint32_t nr, uint32_t *pfns)
{
	if (nr > 1 && alloc->nr_bitmap_free >= nr) {
		uint32_t pfn = find_piece(alloc, *cursor, nr);

		if (pfn != NO_PFN) {
			take_piece(alloc, pfn, nr, pfns);
			*cursor = (pfn + nr - 1) / GROUP_PAGES;
			return nr;
		}
	}
	return bitmap_take_any_locked(alloc, cursor, nr, pfns);
}

static int
compare_pfns(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

bool
bitmap_is_bad_locked(const struct page_alloc *alloc, uint32_t pfn)
{
	uint32_t nr = atomic_load_explicit(&alloc->nr_bad, memory_order_relaxed);

	return nr > 0 && bsearch(&pfn, alloc->bad, nr, sizeof *alloc->bad, compare_pfns) != NULL;
}

/* The pages of a word that must stay marked, whoever gives them back. */
static uint64_t
stuck_bits(const struct page_alloc *alloc, uint32_t w, uint64_t mask)
{
	uint64_t stuck = 0;

	for (unsigned int i = 0; i < alloc->nr_fixed; i++) {
		if (UNLIKELY(alloc->fixed[i] >> UNIT_SHIFT == w))
			stuck |= mask & UINT64_C(1) << (alloc->fixed[i] % UNIT_PAGES);
	}
	if (LIKELY(atomic_load_explicit(&alloc->nr_bad, memory_order_relaxed) == 0))
		return stuck;
	for (uint64_t rest = mask; rest != 0; rest &= rest - 1) {
		if (bitmap_is_bad_locked(alloc, w * UNIT_PAGES + (uint32_t)__builtin_ctzll(rest)))
			stuck |= rest & -rest;
	}
	return stuck;
}

void
bitmap_put_word_locked(struct page_alloc *alloc, uint32_t w, uint64_t mask)
{
	uint64_t old = bitmap_word(alloc, w), good;
	uint64_t nr = (uint64_t)__builtin_popcountll(mask), nr_good;

	/*
	 * A page that is free already was given back twice: two slots named
	 * it, one of them damaged.  It must not be counted twice.
	 */
	good = mask & old;
	good &= ~stuck_bits(alloc, w, good);
	nr_good = (uint64_t)__builtin_popcountll(good);
	atomic_store_explicit(&alloc->words[w], old & ~good, memory_order_relaxed);
	if (unit_is_ready(alloc, w)) {
		alloc->group_free[w / GROUP_WORDS] += (uint16_t)nr_good;
		alloc->nr_bitmap_free += nr_good;
		nr -= nr_good;
	} else if (nr_good > 0) {
		atomic_fetch_add(&alloc->nr_unready, nr_good);
		alloc->was_used[w / GROUP_WORDS] |= (uint8_t)(1u << w % GROUP_WORDS);
		atomic_store_explicit(&alloc->maybe_used, true, memory_order_relaxed);
	}
	if (UNLIKELY(nr > 0))
		account_lose(alloc, nr);
}

void
bitmap_put_range_locked(struct page_alloc *alloc, uint32_t pfn, uint32_t nr)
{
	uint64_t end = (uint64_t)pfn + nr;

	for (uint32_t w = pfn >> UNIT_SHIFT; (uint64_t)w << UNIT_SHIFT < end; w++)
		bitmap_put_word_locked(alloc, w, word_mask(w, pfn, end));
}

/* ---- the mark at open: no lock ---- */

bool
page_mark(struct page_alloc *alloc, uint32_t pfn, uint32_t nr)
{
	uint64_t end = (uint64_t)pfn + nr, twice = 0;

	if (end > alloc->nr_pages)
		return false;
	for (uint32_t w = pfn >> UNIT_SHIFT; (uint64_t)w << UNIT_SHIFT < end; w++) {
		uint64_t mask = word_mask(w, pfn, end);

		twice |= atomic_fetch_or_explicit(&alloc->words[w], mask, memory_order_relaxed) & mask;
	}
	return twice == 0;
}

uint64_t
page_mark_bits(struct page_alloc *alloc, uint32_t word, uint64_t mask)
{
	return atomic_fetch_or_explicit(&alloc->words[word], mask, memory_order_relaxed) & mask;
}

void
page_mark_soon(struct page_alloc *alloc, uint32_t pfn)
{
	if (pfn < alloc->nr_pages)
		__builtin_prefetch(&alloc->words[pfn >> UNIT_SHIFT], 1);
}

/* The bitmap may be replaced by a longer one meanwhile: nr_pages first. */
bool
page_is_marked(struct page_alloc *alloc, uint32_t pfn)
{
	return pfn >= alloc->nr_pages || (bitmap_word(alloc, pfn >> UNIT_SHIFT) >> (pfn % UNIT_PAGES) & 1) != 0;
}
