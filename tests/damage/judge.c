/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening a damaged image and comparing all that can be read. */
#include "tests/damage/judge.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "tests/unit/unit.h"

/* One image, while it is looked at. */
struct look {
	struct sample *s;
	const struct damage *damage;
	unsigned int flags;
	struct tally *tally;
	struct prmem_pool *pool;
	const char *when;
	bool repaired;
	bool guess; /* the repair may have found an older version of what was hit */
};

static void __attribute__((format(printf, 2, 3), noreturn)) wrong(const struct look *l, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: %s: ", l->damage->what, l->when);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	abort();
}

static void
add_part(struct damage *damage, const struct part *part)
{
	if (part->kind == PART_NONE)
		return;
	if (damage->nr_parts > 0 && memcmp(&damage->parts[damage->nr_parts - 1], part, sizeof *part) == 0)
		return;
	CHECK(damage->nr_parts < VERDICT_MAX_PARTS);
	damage->parts[damage->nr_parts++] = *part;
}

void
damage_of_word(const struct sample *s, uint32_t word, struct damage *damage)
{
	damage->nr_parts = 0;
	add_part(damage, &s->parts[word]);
}

void
damage_of_image(const struct sample *s, struct damage *damage)
{
	damage->nr_parts = 0;
	for (uint32_t w = 0; w < SAMPLE_WORDS; w++) {
		if (memcmp(s->mem.image + 8 * w, s->pristine + 8 * w, 8) != 0)
			add_part(damage, &s->parts[w]);
	}
}

/* May, or must, the damage be seen here? */
static bool
belongs(const struct damage *damage, uint32_t inst, uint32_t idx)
{
	for (uint32_t i = 0; i < damage->nr_parts; i++) {
		const struct part *p = &damage->parts[i];

		if (p->kind == PART_SB_A || p->kind == PART_SB_B || p->inst != inst)
			continue;
		if (p->kind == PART_RECORD || p->kind == PART_DIR_SLOT)
			return true;
		if (p->kind == PART_DATA ? idx == SAMPLE_DATA : idx != SAMPLE_DATA && idx >= p->first && idx <= p->last)
			return true;
	}
	return false;
}

/* Take note of what a read said; true: compare the content. */
static bool
may_compare(struct look *l, int r, uint32_t inst, uint32_t idx)
{
	bool hit = belongs(l->damage, inst, idx);

	if (hit && l->guess)
		return false;
	if (r == 0) {
		if (hit && (l->flags & LOOK_SINGLE))
			wrong(l, "index %u of %s is damaged and was read", idx, sample_names[inst]);
		return true;
	}
	/* A repair takes away data that is lost; what an index holds stays as lost. */
	if (r == -ENODATA && hit && l->repaired && idx == SAMPLE_DATA)
		return false;
	if (r != -EIO || !hit)
		wrong(l, "index %u of %s, %s: %s", idx, sample_names[inst],
		      hit ? "where the damage is" : "where no damage is", strerror(-r));
	l->tally->nr_eio++;
	return false;
}

static void
compare(struct look *l, const struct sample_item *item, const void *got)
{
	if (memcmp(got, item->content, item->len_bytes) == 0)
		return;
	if ((l->flags & LOOK_STALE) && belongs(l->damage, item->inst, item->idx) &&
	    memcmp(got, item->older, item->len_bytes) == 0)
		return;
	wrong(l, "index %u of %s reads as what was never there", item->idx, sample_names[item->inst]);
}

static void
read_page(struct look *l, struct prmem_disk *disk, uint32_t inst, uint32_t idx)
{
	static uint8_t buf[MEM_POOL_PAGE];
	const struct sample_item *item = sample_item(l->s, inst, idx);
	uint64_t off = (uint64_t)idx * MEM_POOL_PAGE;
	uint64_t left = l->s->size_bytes[inst] - off;
	size_t len_bytes = left < MEM_POOL_PAGE ? left : MEM_POOL_PAGE;

	if (!may_compare(l, prmem_disk_read(disk, buf, len_bytes, off), inst, idx))
		return;
	if (item != NULL)
		compare(l, item, buf);
	else if (!mem_is_zero(buf, len_bytes))
		wrong(l, "the hole %u of %s does not read as zeroes", idx, sample_names[inst]);
}

/* A page that was hit is whole again when it is written. */
static void
heal(struct look *l, struct prmem_disk *disk, const struct part *p)
{
	static uint8_t data[MEM_POOL_PAGE], buf[MEM_POOL_PAGE];
	uint64_t off = (uint64_t)p->first * MEM_POOL_PAGE;
	uint64_t left = l->s->size_bytes[p->inst] - off;
	size_t len_bytes = left < MEM_POOL_PAGE ? left : MEM_POOL_PAGE;
	int r;

	memset(data, 0x5a, sizeof data);
	r = prmem_disk_write(disk, data, len_bytes, off);
	if (r < 0)
		wrong(l, "index %u of %s cannot be written: %s", p->first, sample_names[p->inst], strerror(-r));
	r = prmem_disk_read(disk, buf, len_bytes, off);
	if (r < 0 || memcmp(buf, data, len_bytes) != 0)
		wrong(l, "index %u of %s is not healed by a write", p->first, sample_names[p->inst]);
	l->tally->nr_healed++;
}

/* Read around the damage, where holes are too; then write what was hit. */
static void
look_near(struct look *l, struct prmem_disk *disk, uint32_t inst, uint32_t nr_pages)
{
	const struct damage *d = l->damage;

	if (d->nr_parts > 8)
		return;
	for (uint32_t i = 0; i < d->nr_parts; i++) {
		const struct part *p = &d->parts[i];

		if (p->inst != inst || (p->kind != PART_SLOT && p->kind != PART_CONTENT))
			continue;
		for (uint32_t k = 0; k < 6; k++) {
			uint32_t idx = (k < 3 ? p->first : p->last) + k % 3 - 1;

			if (idx < nr_pages)
				read_page(l, disk, inst, idx);
		}
	}
	if (l->flags & LOOK_REPAIR)
		return;
	for (uint32_t i = 0; i < d->nr_parts; i++) {
		const struct part *p = &d->parts[i];

		if (p->inst != inst || (p->kind != PART_SLOT && p->kind != PART_CONTENT) || p->first != p->last)
			continue;
		if (p->kind == PART_CONTENT && pool_is_read_only(l->pool) && (l->flags & LOOK_SINGLE))
			wrong(l, "the pool is read-only for damaged content");
		if (p->first < nr_pages && !pool_is_read_only(l->pool))
			heal(l, disk, p);
	}
}

static void
look_at_disk(struct look *l, uint32_t inst)
{
	uint32_t nr_pages = (uint32_t)((l->s->size_bytes[inst] + MEM_POOL_PAGE - 1) / MEM_POOL_PAGE);
	struct prmem_disk *disk;
	int r = prmem_disk_open(l->pool, sample_names[inst], &disk, NULL);

	if (r < 0) {
		/* Its name is not known when its record cannot be read. */
		if (!belongs(l->damage, inst, SAMPLE_DATA - 1) || (r != -EIO && r != -ENOENT))
			wrong(l, "disk %s does not open: %s", sample_names[inst], strerror(-r));
		/* A repair gives up what it cannot prove. */
		if (r == -ENOENT && !pool_is_read_only(l->pool) && !l->repaired)
			wrong(l, "disk %s is not known, and another may be made", sample_names[inst]);
		l->tally->nr_eio++;
		return;
	}
	if (prmem_disk_size(disk) != l->s->size_bytes[inst] && !(l->guess && belongs(l->damage, inst, SAMPLE_DATA - 1)))
		wrong(l, "disk %s has another size", sample_names[inst]);
	if (l->flags & LOOK_HOLES) {
		for (uint32_t idx = 0; idx < nr_pages; idx++)
			read_page(l, disk, inst, idx);
	} else {
		for (uint32_t i = 0; i < l->s->nr_items; i++) {
			if (l->s->items[i].inst == inst)
				read_page(l, disk, inst, l->s->items[i].idx);
		}
	}
	look_near(l, disk, inst, nr_pages);
	prmem_disk_close(disk);
}

static void
look_at_instance(struct look *l)
{
	static uint8_t buf[MEM_POOL_PAGE];
	struct prmem_instance *inst;
	int r = prmem_get(l->pool, "test", sample_names[SAMPLE_I], 0, &inst, NULL);
	size_t len_bytes;

	if (r < 0) {
		if (!belongs(l->damage, SAMPLE_I, SAMPLE_DATA) || (r != -EIO && r != -ENOENT))
			wrong(l, "instance i does not open: %s", strerror(-r));
		l->tally->nr_eio++;
		return;
	}
	for (uint32_t i = 0; i < l->s->nr_items; i++) {
		const struct sample_item *item = &l->s->items[i];
		struct prmem_loan loan;

		if (item->inst != SAMPLE_I)
			continue;
		if (item->is_value) {
			xa_entry_t entry = xa_load(prmem_xarray(inst), item->idx);

			/* Marked as lost; or an entry of something whose content would prove wrong. */
			if (!xa_is_err(entry) && !xa_is_value(entry) && entry != 0 &&
			    (l->repaired || !(l->flags & LOOK_SINGLE)) && belongs(l->damage, SAMPLE_I, item->idx))
				continue;
			if (may_compare(l, xa_err(entry), SAMPLE_I, item->idx) &&
			    (!xa_is_value(entry) || xa_to_value(entry) != item->value))
				wrong(l, "the value at %u is another", item->idx);
			continue;
		}
		if (item->idx == SAMPLE_DATA) {
			r = prmem_get_data(inst, buf, sizeof buf, &len_bytes);
			if (!may_compare(l, r, SAMPLE_I, SAMPLE_DATA))
				continue;
			if (len_bytes != item->len_bytes)
				wrong(l, "the data has another length");
			compare(l, item, buf);
			continue;
		}
		r = prmem_borrow(inst, item->idx, &loan);
		if (!may_compare(l, r, SAMPLE_I, item->idx)) {
			if (r == 0)
				prmem_give_back(inst, &loan);
			continue;
		}
		if (loan.len_bytes != item->len_bytes)
			wrong(l, "the object at %u has another length", item->idx);
		compare(l, item, loan.addr);
		prmem_give_back(inst, &loan);
	}
	prmem_put(inst);
}

/* Return: false when it was refused, as it should be. */
static bool
open_image(struct look *l)
{
	struct prmem_error err = {0};
	uint32_t nr_undo = l->s->mem.nr_undo;
	bool sb[2] = {false, false};
	int r = mem_pool_open(&l->s->mem, &l->pool, &err);

	if (r == 0)
		return true;
	for (uint32_t i = 0; i < l->damage->nr_parts; i++) {
		sb[0] = sb[0] || l->damage->parts[i].kind == PART_SB_A;
		sb[1] = sb[1] || l->damage->parts[i].kind == PART_SB_B;
	}
	if (!(sb[0] && sb[1]) && l->s->mem.pm.len_bytes == SAMPLE_BYTES)
		wrong(l, "refused: %s", err.message);
	if (err.message[0] == '\0' || err.code != r)
		wrong(l, "refused without a word: %s", strerror(-r));
	if (l->s->mem.nr_undo != nr_undo)
		wrong(l, "refused, and changed it");
	l->tally->nr_refused++;
	return false;
}

static void
repair_and_look(struct look *l)
{
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;
	struct prmem_error err = {0};
	int r;

	l->when = "repair";
	if (!open_image(l))
		return;
	r = prmem_repair(l->pool, &args, sizeof args, &result, sizeof result, &err);
	prmem_close(l->pool);
	if (r < 0)
		wrong(l, "%s", err.message);
	l->when = "after repair";
	l->repaired = true;
	l->guess = !(l->flags & LOOK_SINGLE);
	l->flags &= ~LOOK_SINGLE; /* it may be right again */
	if (!open_image(l))
		wrong(l, "refused");
	look_at_disk(l, SAMPLE_A);
	look_at_disk(l, SAMPLE_B);
	look_at_instance(l);
	if (pool_is_read_only(l->pool) && !l->guess)
		wrong(l, "still read-only: %s", l->pool->read_only_why);
	prmem_close(l->pool);
	l->tally->nr_repaired++;
}

void
judge(struct sample *s, const struct damage *damage, unsigned int look, struct tally *tally)
{
	struct look l = {.s = s, .damage = damage, .flags = look, .tally = tally, .when = "opened"};

	tally->nr_images++;
	if (open_image(&l)) {
		tally->nr_read_only += pool_is_read_only(l.pool);
		if (look & LOOK_CHECK) {
			struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
			struct prmem_check_result result;
			struct prmem_error err = {0};

			if (prmem_check(l.pool, &args, sizeof args, &result, sizeof result, &err) < 0)
				wrong(&l, "check: %s", err.message);
			tally->nr_checked++;
		}
		look_at_disk(&l, SAMPLE_A);
		look_at_disk(&l, SAMPLE_B);
		look_at_instance(&l);
		prmem_close(l.pool);
		if (look & LOOK_REPAIR)
			repair_and_look(&l);
	}
	mem_pm_take_back(&s->mem);
}
