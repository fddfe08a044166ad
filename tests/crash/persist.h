/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of a log is guaranteed to have reached the medium, and what may or may
 * not have.
 *
 * The model, word by word (8 bytes):
 *  - an ordinary store is pending until its line is flushed after it, by any
 *    thread, and that same thread fences;
 *  - the pending stores of a line survive as a prefix of their order;
 *  - a word of a non-temporal copy is pending until the thread that copied
 *    fences, and survives or not by itself;
 *  - where several writes to one word survive, the last one is there.
 */
#ifndef PRMEM_TESTS_PERSIST_H
#define PRMEM_TESTS_PERSIST_H

#include "tests/crash/sim_log.h"

#define WORDS_PER_PAGE 512u
#define LINES_PER_PAGE 64u

struct pending {
	uint64_t value;
	uint32_t word;
	uint32_t seq; /* place in the log */
	uint32_t flushed_by; /* bit per thread that has flushed it and not fenced yet */
	uint16_t site;
	uint8_t thread;
};

struct pending_list {
	struct pending *p;
	size_t nr;
	size_t room;
};

struct persist {
	uint64_t len_bytes;
	uint32_t nr_pages;
	uint8_t *base; /* what is guaranteed */
	uint8_t *visible; /* what the program sees */
	uint8_t *work; /* equal to base between explorations; images are made here */
	uint32_t *guaranteed_seq; /* a word: the newest guaranteed write */
	uint16_t *nr_pending; /* a word: pending writes to it */
	uint32_t *stamp; /* a page: changes whenever its part of base does, never 0 */
	uint32_t next_stamp;
	uint64_t pool_bytes; /* length of the pool's file; 0: all that there is */
	uint32_t next_seq;
	struct pending_list stores; /* ordinary, in log order */
	struct pending_list copies; /* words of non-temporal copies, in log order */
};

/* persist_init() - a medium that holds @image, all of it guaranteed. */
void persist_init(struct persist *persist, const void *image, uint64_t len_bytes);
/* persist_reset() - the same, in memory that persist_init() took for the same length. */
void persist_reset(struct persist *persist, const void *image);
void persist_fini(struct persist *persist);

/* persist_apply() - what an event does. */
void persist_apply(struct persist *persist, const struct sim_log *log, const struct sim_event *event);

#endif
