/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulated persistent memory behind common/pm.h: ordinary memory which the
 * code under test reads directly, and a log of all that it did to it.
 */
#ifndef PRMEM_TESTS_SIM_PM_H
#define PRMEM_TESTS_SIM_PM_H

#include "tests/crash/sim_log.h"

struct sim_pm {
	struct pm pm;
	struct sim_log log;
	bool recording; /* false: the memory changes, the log does not */
	int (*on_ensure)(void *opaque, uint64_t off, uint64_t len_bytes); /* or NULL: always 0 */
	void *opaque;
};

/* The thread that is running, for the log.  Set by whoever makes threads. */
extern _Thread_local unsigned int sim_thread;

/* Called at the start of every operation; the scheduler switches threads here. */
extern void (*sim_yield)(void);

/* sim_pm_init() - memory of @len_bytes zeroes, a multiple of a page. */
void sim_pm_init(struct sim_pm *sim, uint64_t len_bytes);
void sim_pm_fini(struct sim_pm *sim);

/* The test's own marks. */
void sim_begin(struct sim_pm *sim, uint64_t operation);
void sim_ack(struct sim_pm *sim, uint64_t operation, int64_t result);

/* The file that the memory is has another length. */
void sim_length(struct sim_pm *sim, uint64_t len_bytes);

/* A program writes into an object of its own, by ordinary stores. */
void sim_user_write(struct sim_pm *sim, void *dst, const void *src, size_t len_bytes);

#endif
