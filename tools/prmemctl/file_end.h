/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file at the other end of an export or import: a file with holes, a
 * block device, or a pipe.
 */
#ifndef PRMEM_CTL_FILE_END_H
#define PRMEM_CTL_FILE_END_H

#include <stdbool.h>
#include <stdint.h>

struct file_end {
	const char *name; /* as it was given; "-" */
	char *path; /* what it is called in the end, and ... */
	char *temp; /* ... until it is whole; NULL when it is written in place */
	int fd;
	bool is_stream; /* from front to back, nothing can be left out */
	bool is_file; /* has a length of its own */
	uint64_t pos; /* stream: how far it is */
	uint64_t size_bytes;
	char why[320]; /* it failed, in words; stays empty when it was interrupted */
};

/* end_failed() - note why, unless that is known already.  Return: -1. */
int end_failed(struct file_end *end, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* All of these return -1 when they fail; why is in end->why then. */
int sink_open(struct file_end *end, const char *name);
int sink_write(struct file_end *end, const void *buf, uint32_t len_bytes, uint64_t off);
int sink_finish(struct file_end *end, uint64_t size_bytes);
/* Nothing is left of a file that was not finished. */
void sink_close(struct file_end *end);

int source_open(struct file_end *end, const char *name);
/* *ret_bytes: the bytes of a file that are no hole; 0 when that cannot be known before. */
int source_data_bytes(struct file_end *end, uint64_t *ret_bytes);
/* Return: 1 and *ret_len_bytes of data for *ret_off; 0 at the end, *ret_off is the size; -1. */
int source_read(struct file_end *end, void *buf, uint32_t buf_bytes, uint32_t *ret_len_bytes, uint64_t *ret_off);
void source_close(struct file_end *end);

#endif
