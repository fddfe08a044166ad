/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the control socket of a pool is.
 */
#ifndef PRMEM_CONTROL_PLACE_H
#define PRMEM_CONTROL_PLACE_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#define PLACE_ENVIRONMENT "PRMEM_RUN_DIR"

/* Directories where a user's servers may have their sockets, best first. */
#define PLACE_NR 3

/*
 * place_of() - the address of a pool's socket in one of the directories.
 * @number: 0 to PLACE_NR - 1
 * @uid: whose server
 * Return: 0; -ENOENT when there is no such place for this user; -ENAMETOOLONG.
 */
int place_of(unsigned int number, uid_t uid, const char *uuid, struct sockaddr_un *ret_address);

/*
 * place_make_dir() - make the directory of an address, or see that it is ours:
 * nobody else may put a socket there.
 * Return: 0, -errno.
 */
int place_make_dir(const struct sockaddr_un *address);

#endif
