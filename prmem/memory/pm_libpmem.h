/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The persistence primitives on a real mapping.
 */
#ifndef PRMEM_PM_LIBPMEM_H
#define PRMEM_PM_LIBPMEM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/pm.h"
#include "prmem/prmem.h"

/*
 * pm_libpmem_map() - map a device-DAX node or a regular file as a whole.
 * @path: its name, for messages
 * @fd: a descriptor of it, which outlives the mapping (ensure() uses it)
 * @len_bytes: its length
 * @read_only: map without write permission
 *
 * The primitives: fence() orders non-temporal stores on page cache too.
 * After a sync() that failed every later one fails with -EIO: the kernel
 * reports such an error once only.  ensure() allocates space of the file,
 * and makes huge pages of it in tmpfs.
 *
 * Context: one call at a time in a process.
 * Return: 0 and *ret_pm, to be released by its close(); -EINVAL when the
 *   environment makes libpmem drop flushes, or the length changed meanwhile;
 *   or what the system said.
 */
MUST_CHECK int pm_libpmem_map(const char *path, int fd, uint64_t len_bytes, bool is_device, bool read_only,
			      struct pm **ret_pm, struct prmem_error *err);

/* pm_libpmem_is_forced() - does PMEM_IS_PMEM_FORCE=1 make any file claim to be persistent memory? */
bool pm_libpmem_is_forced(void);

#endif
