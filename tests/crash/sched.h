/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Real threads, one of which runs at a time, under a schedule that is the
 * same each time.
 *
 * A running thread can be pre-empted where it is about to touch persistent
 * memory (each operation of common/pm.h), to take a mutex or to wait for a
 * grace period; these moments are numbered as the run goes.  A thread that
 * must wait is not pre-empted by that: another one simply goes on.  The
 * mutexes and the read lock of the code under test come here by the linker's
 * --wrap, so that waiting is seen and never really happens.
 */
#ifndef PRMEM_TESTS_SCHED_H
#define PRMEM_TESTS_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#define SCHED_MAX_THREADS 3u
#define SCHED_MAX_PREEMPTS 2u
#define SCHED_MAX_STEPS 4096u

struct schedule {
	uint8_t first; /* the thread that runs first */
	uint8_t nr_preempts;
	struct {
		uint32_t step;
		uint8_t to;
	} preempts[SCHED_MAX_PREEMPTS];
};

struct sched_trace {
	uint32_t nr_steps;
	uint8_t running[SCHED_MAX_STEPS]; /* who came to each step */
	bool useless; /* a pre-emption asked for a thread that could not run: another schedule is the same */
};

/*
 * sched_run() - run fn(opaque, 0), ..., fn(opaque, nr - 1), each in a thread of its own.
 * Threads live on between runs.  A deadlock ends the program with a message.
 */
void sched_run(const struct schedule *schedule, unsigned int nr, void (*fn)(void *opaque, unsigned int thread),
	       void *opaque, struct sched_trace *ret_trace);

/*
 * sched_for_all() - all schedules with up to two pre-emptions.
 * @run: runs one schedule by sched_run(); returns false to stop
 * @max: at most so many (evenly picked when there are more), 0: all
 * Return: the number of schedules run.
 */
uint64_t sched_for_all(unsigned int nr, uint64_t max, uint64_t seed,
		       bool (*run)(void *opaque, const struct schedule *schedule, struct sched_trace *ret_trace),
		       void *opaque);

/* One line, for people. */
void schedule_text(const struct schedule *schedule, char *buf, unsigned int buf_bytes);

#endif
