/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request about a pool, as JSON, and its answer, as JSON.
 *
 * prmemctl makes requests.  Where a server has the pool they go to it over a
 * socket (server.h, client.h), otherwise prmemctl opens the pool and calls
 * control_execute() itself: the answer is the same because the code is.
 * prmemctl(8) documents the requests and answers.
 */
#ifndef PRMEM_CONTROL_H
#define PRMEM_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json_object.h>

#include <prmem.h>

/* Of the protocol; said in the greeting. */
#define CONTROL_PROTOCOL 1

/* Bytes of data that a frame may carry. */
#define CONTROL_DATA_MAX (UINT32_C(1) << 20)

/* Findings of a check that an answer carries; more are counted only. */
#define CONTROL_FINDINGS_MAX 1000

/*
 * What a request may do besides being answered.  All of it may be called many
 * times; none of it may wait for a person, but data() and take().
 */
struct control_io {
	/* How far it is, in bytes.  Return: 0 to go on, anything else ends the request. */
	int (*progress)(void *opaque, uint64_t done, uint64_t total);
	/* export: the size, before any data. */
	int (*begin)(void *opaque, uint64_t size_bytes);
	/* export: what lies at @off.  Return: 0, or a negative errno, which ends it. */
	int (*data)(void *opaque, const void *buf, uint32_t len_bytes, uint64_t off);
	/*
	 * import: the next data, into @buf of CONTROL_DATA_MAX bytes.
	 * Return: 1 and what it is; 0 at the end, and *ret_off the size of the
	 *   whole; or a negative errno, which ends it.
	 */
	int (*take)(void *opaque, void *buf, uint32_t *ret_len_bytes, uint64_t *ret_off);
	/* repair: what is about to be overwritten; as keep() of struct prmem_check_args. */
	int (*keep)(void *opaque, uint64_t off, const void *old, size_t len_bytes);
	void *opaque;
};

struct control {
	struct prmem_pool *pool;
	const char *path; /* of the pool, for messages */
	bool served; /* by a server: others use it too */
	bool reads_only; /* opened read-only by whoever asks, not by its nature */
	const struct control_io *io;
};

/*
 * control_execute() - do what a request says.
 * Refuses verbs and keys that it does not know, and values of another type.
 * Context: any thread, several at once.
 * Return: the answer, to be put: {"ok": true, "result": ...} or
 *   {"ok": false, "error": {"code": "ENOENT", "message": "..."}}; NULL without
 *   memory.
 */
struct json_object *control_execute(const struct control *control, struct json_object *request);

/* control_only_reads() - is a pool that is opened read-only enough for this verb? */
bool control_only_reads(const char *verb);

/* control_is_change() - does it change the pool? For a log. */
bool control_is_change(struct json_object *request);

/*
 * control_is_utf8() - can it be in JSON as it is?  Names of files need not be.
 * In answers what is not UTF-8 is replaced by U+FFFD, byte by byte.
 */
bool control_is_utf8(const char *text);

/* control_refusal() - an answer that says no. */
struct json_object *control_refusal(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * control_parse() - read one line.
 * @line: without its newline
 * Return: a JSON object, to be put; NULL when it is none: not JSON, too deep,
 *   not UTF-8, or not an object.
 */
struct json_object *control_parse(const char *line, size_t len_bytes);

#endif
