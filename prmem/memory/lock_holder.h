/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes that hold a lock: are they alive, who are they.
 */
#ifndef PRMEM_LOCK_HOLDER_H
#define PRMEM_LOCK_HOLDER_H

#include <stdint.h>
#include <sys/types.h>

#include "common/compiler.h"

/*
 * holder_start_time() - when a process started, in clock ticks since boot.
 * With the PID it names a process for as long as the system is up.
 * Return: 0 and *ret_start; -ESRCH when there is none, or only its exit status
 *   is left; or another -errno.
 */
MUST_CHECK int holder_start_time(pid_t pid, uint64_t *ret_start);

/* holder_name() - the process's name, for people; empty if it cannot be learnt. */
void holder_name(pid_t pid, char *ret_name, size_t name_bytes);

/*
 * holder_of_flock() - a living process that has flock()ed the file behind a
 * descriptor.  The lock may have been taken by a parent of it that is gone:
 * then all processes are looked at.  Where there is no lock none is.
 * Return: its PID; 0 if it cannot be learnt.
 */
pid_t holder_of_flock(int fd);

#endif
