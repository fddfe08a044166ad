/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One server a pool (promise P6): flock() on a descriptor that lives as long
 * as the pool is open, taken before it is mapped, and the owner record for
 * what flock() cannot see: it belongs to the inode, and a second device node
 * of the same memory has another one.
 *
 * flock() goes with the open file: a child made by fork() has it too, and it
 * is free when the last of them is gone, which is after its last store.
 */
#ifndef PRMEM_OWNER_H
#define PRMEM_OWNER_H

#include <stdbool.h>

#include "common/compiler.h"
#include "common/pm.h"
#include "prmem/prmem.h"

struct owner_lock;

/*
 * owner_lock_take() - lock a file or a device-DAX node, without waiting.
 * @fd: open with O_CLOEXEC; taken over on success
 * @shared: other readers may have it too
 *
 * Writes nothing.
 * Return: 0 and *ret_lock; -EBUSY, with the PID of the holder in the message
 *   where it can be learnt; or what the system said.
 */
MUST_CHECK int owner_lock_take(int fd, bool is_device, bool shared, const char *path, struct owner_lock **ret_lock,
			       struct prmem_error *err);

/* owner_lock_release() - close the descriptor, and so unlock; NULL is allowed. */
void owner_lock_release(struct owner_lock *lock);

int owner_lock_fd(const struct owner_lock *lock);

/*
 * owner_record_write() - say on media that this process has the pool.
 * Persistence: durable on return; torn by a crash it counts as none.
 */
void owner_record_write(struct owner_lock *lock, struct pm *pm);

/* owner_record_renew() - the same for a child of fork(), if it was written at all. */
void owner_record_renew(struct owner_lock *lock, struct pm *pm);

/* owner_record_clear() - nobody has it any more, if it was written at all. */
void owner_record_clear(struct owner_lock *lock, struct pm *pm);

#endif
