/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Negative controls: a program that is broken at one site.
 *
 * What a flush, a fence or the kind of a store does is not visible to the
 * program while it runs; so a log of the correct program, with the events of
 * one site dropped, moved or given to another thread, is exactly the log of
 * the program that is broken there.  The suite must find fault with it.
 */
#ifndef PRMEM_TESTS_MUTANT_H
#define PRMEM_TESTS_MUTANT_H

#include "tests/crash/sim_log.h"

enum mutant_mode {
	MUTANT_SKIP, /* flush, fence: not done */
	MUTANT_DELAY, /* flush, copy: after the thread's next fence; fence: after the next acknowledgement */
	MUTANT_SWAP, /* exchanged with its neighbour: a flush with what is before it, a fence with what is after it, a
		      * store with the fence before it; or, where it need not wait for one, with the flush after it */
	MUTANT_WRONG_THREAD, /* flush, fence, copy: by a thread that is not the one that relies on it */
	MUTANT_NR_MODES,
};

struct mutant {
	unsigned int site;
	enum mutant_mode mode;
};

const char *mutant_mode_name(enum mutant_mode mode);

/* mutant_kind() - what a site is, by its name: the type of its events. */
enum sim_event_type mutant_kind(unsigned int site);

/* mutant_makes_sense() - can this kind of site be broken in this way? */
bool mutant_makes_sense(const struct mutant *mutant);

/*
 * mutant_apply() - the log of the broken program.
 * @out: shares the data of @in; free its events only
 * Return: how many events were changed.
 */
size_t mutant_apply(const struct mutant *mutant, const struct sim_log *in, struct sim_log *out);

#endif
