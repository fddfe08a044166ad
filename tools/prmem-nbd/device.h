/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel shows of /dev/nbdN.
 */
#ifndef PRMEM_NBD_DEVICE_H
#define PRMEM_NBD_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "tools/prmem-nbd/say.h"

/*
 * device_index() - the N of "/dev/nbdN", "nbdN", or of a symlink to such a node.
 * Return: N, or -EINVAL.
 */
int device_index(const char *name);

/* device_find() - the device that was attached with @identifier. Return: N, or -ENOENT. */
int device_find(const char *identifier);

bool device_is_connected(int index);

/* device_identifier() - what the device was attached with. Return: 0, -ENOENT, -ERANGE. */
int device_identifier(int index, char *buf, size_t buf_bytes);

uint64_t device_size(int index); /* bytes; 0 when it cannot be told */

/* device_is_idle() - whether no request is on its way. */
bool device_is_idle(int index);

/* device_is_used() - whether something is mounted from it or holds it exclusively. */
bool device_is_used(int index);

/* device_tune() - set its queue as suits memory behind a socket; what fails is left. */
void device_tune(int index);

/* device_announce() - have udev look at it again. */
void device_announce(int index);

/*
 * device_try() - read its first block past the page cache.
 * Return: 0, or a negative errno with @why.
 */
int device_try(int index, uint64_t block_bytes, struct why *why);

#endif
