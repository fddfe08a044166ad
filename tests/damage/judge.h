/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening a damaged image and comparing all that can be read with what was
 * written: right, or -EIO where the damage belongs, and nothing else (P3).
 */
#ifndef PRMEM_TESTS_DAMAGE_JUDGE_H
#define PRMEM_TESTS_DAMAGE_JUDGE_H

#include "tests/damage/sample.h"

#define VERDICT_MAX_PARTS 2048u

/* How hard to look. */
#define LOOK_HOLES 1u /* read all holes, not only those near the damage */
#define LOOK_CHECK 2u /* prmem_check() with scrub */
#define LOOK_REPAIR 4u /* repair, open again, compare again; else pages are healed by writing them */
#define LOOK_SINGLE 8u /* one bit: it must be noticed where it belongs to something */
#define LOOK_STALE 16u /* old content was put back: an older value may be read where it belongs */

struct damage {
	struct part parts[VERDICT_MAX_PARTS];
	uint32_t nr_parts;
	char what[120]; /* for messages */
};

struct tally {
	uint64_t nr_images, nr_refused, nr_read_only, nr_eio, nr_healed, nr_repaired, nr_checked;
};

/* damage_of_word() - the damage of one 8-byte word; damage_of_image() - of all that differs from the pristine one. */
void damage_of_word(const struct sample *s, uint32_t word, struct damage *damage);
void damage_of_image(const struct sample *s, struct damage *damage);

/*
 * judge() - open the image as it is, and look.  Takes all changes back, the
 * damage too.  Does not return when something is wrong: it says what, and aborts.
 */
void judge(struct sample *s, const struct damage *damage, unsigned int look, struct tally *tally);

#endif
