/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of the system that fail when they are told to.
 *
 * Two ways to have them between the engine and the system: a program that is
 * linked with fault.c (it defines the functions that libpmem and libblkid call
 * too; the engine's malloc() and its like come by the linker's --wrap), and a
 * library to be preloaded (preload.c), for a server as it is shipped.
 */
#ifndef PRMEM_TESTS_FAULT_H
#define PRMEM_TESTS_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum fault_mode {
	FAULT_ONCE, /* one call fails */
	FAULT_ONWARD, /* and all after it that are of the same function */
};

/* fault_arm() - let the @nth call from now on fail (1: the next one; 0: none, count only). */
void fault_arm(uint64_t nth, enum fault_mode mode);

/*
 * fault_disarm() - let them succeed again.
 * Return: the name of the function that failed, or NULL: there were fewer calls.
 */
const char *fault_disarm(void);

/* fault_calls() - how many calls there were since fault_arm(). */
uint64_t fault_calls(void);

/*
 * fault_here() - is it this call that is to fail?
 * @caller: where it comes from; preload.c asks for calls from the plugin only
 */
bool fault_here(const char *function, const void *caller);

/* What is allocated by the engine and not freed: --wrap counts it. */
int64_t fault_nr_allocated(void);

#endif
