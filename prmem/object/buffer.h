/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small buffers inside pages.  Which granules are in use is known in RAM
 * only, rebuilt by the mark at open from the slots that reach buffers.
 */
#ifndef PRMEM_BUFFER_H
#define PRMEM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "prmem/format/buffer_format.h"

struct prmem_pool;
struct buffers;

MUST_CHECK int buffers_create(struct prmem_pool *pool, struct buffers **ret_buffers);
void buffers_destroy(struct buffers *buffers);

/*
 * buffer_take() - take room for a header and @len_bytes of content, and write
 * the header (durable after the thread's next fence).
 * @ret_payload: page number * 64 + granule, as slots have it
 * Return: 0, -EINVAL, -ENOSPC, -EROFS, -ENOMEM.
 */
MUST_CHECK int buffer_take(struct buffers *buffers, size_t len_bytes, uint32_t *ret_payload);

/* buffer_untake() - give back one that was never published. */
void buffer_untake(struct buffers *buffers, uint32_t payload);

/*
 * buffer_retire() - the last slot to it is durably gone; its room (and its
 * page, with the last buffer of it) is reused after a grace period.
 */
void buffer_retire(struct buffers *buffers, uint32_t payload);

/* buffer_free_now() - as buffer_retire(), when no reader can hold it. */
void buffer_free_now(struct buffers *buffers, uint32_t payload);

/*
 * buffers_reclaim() - wait for a grace period (and sync, on page cache) and
 * free what has been retired.
 * Context: may sleep; not under the read lock.
 * Return: 0, -EIO.
 */
int buffers_reclaim(struct buffers *buffers);

/*
 * buffer_mark() - a slot reaches this buffer; for the walk at open.
 * Checks the header and marks the page.
 * Return: true; false if the header is no buffer's, or the room overlaps
 *   another's, or the page is reached as something else.
 */
bool buffer_mark(struct buffers *buffers, uint32_t payload);

/*
 * buffer_at() - the header of the buffer that a payload names.
 * Reads media and believes nothing of it: the buffer, with its header, ends
 * inside its page.
 * Return: its address and the content's length; NULL if there is none.
 */
const struct buffer_media *buffer_at(struct prmem_pool *pool, uint32_t payload, size_t *ret_len_bytes);

/*
 * buffer_find() - the payload of a buffer in use whose content starts at an
 * address, for prmem_free() and prmem_mk_entry().
 * Return: true and the payload; false when there is none.
 */
MUST_CHECK bool buffer_find(struct buffers *buffers, const void *content, uint32_t *ret_payload);

#endif
