/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prmemctl: what its files share.
 *
 * Each verb makes a request (control/control.h), has it answered (session.c)
 * and prints the answer.
 */
#ifndef PRMEM_CTL_H
#define PRMEM_CTL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "control/control.h"

/* configure says; this is for programs that read the sources. */
#ifndef CONFDIR
#define CONFDIR "/etc/prmem"
#endif

#define REGIONS_MAX 32 /* more than a pool has */

#define EXIT_OK 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define EXIT_INTERRUPTED 130
/* check, scrub and repair, as fsck(8) does */
#define EXIT_FSCK_REPAIRED 1
#define EXIT_FSCK_LEFT 4
#define EXIT_FSCK_FAILED 8
#define EXIT_FSCK_USAGE 16
#define EXIT_FSCK_INTERRUPTED 32

enum progress_mode {
	PROGRESS_AUTO, /* a bar on a terminal, nothing elsewhere */
	PROGRESS_BAR,
	PROGRESS_PLAIN,
	PROGRESS_NONE,
};

/* What the command line says. */
struct args {
	const char *verb;
	const char *pool; /* path */
	const char *shown; /* the same, for people */
	const char *pool_name; /* as it was given */
	char **rest; /* arguments behind POOL */
	int nr_rest;
	bool json, force, wipe, reserve, read_only, prometheus, scrub, verbose;
	bool has_size, has_add_size, has_low_space;
	uint64_t size_bytes, add_size_bytes, low_space_bytes, rate_bytes;
	const char *label, *description, *add, *keep, *disk;
	const char *regions[REGIONS_MAX + 1]; /* ends with NULL */
	int nr_regions;
	bool degraded;
	char *config; /* into which regions may point, to be freed; or NULL */
	double watch_s; /* 0: once */
	unsigned int count; /* of what is watched; 0: without end */
	enum progress_mode progress;
};

struct command {
	const char *name;
	const char *usage; /* after the name; a first word in lower case is a part of the command */
	const char *what; /* one line */
	const char *more; /* for its --help; may be "" */
	const char *options; /* the letters of options.c */
	int nr_min, nr_max; /* arguments behind POOL */
	int (*run)(const struct args *args);
};

/* options.c */
extern const struct command commands[];
const struct command *find_command(const char *name);
/* Return: 0, or -1 when the command is to end with *ret_exit. */
int parse_args(const struct command *command, int argc, char **argv, struct args *ret_args, int *ret_exit);
void print_help(void);
void print_command_help(const struct command *command);

/* interrupt.c */
/* Set by SIGINT and the like, once they are caught: end in good order. */
extern volatile sig_atomic_t interrupted;
void catch_signals(void);

/* say.c */
void say_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int failed(const struct args *args, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int exit_for(const struct args *args, int code);
bool on_terminal(int fd);
/* A word of the command line, for a message: an empty one is to be seen. */
const char *or_quotes(const char *text);

/* size.c */
#define SIZE_TEXT_BYTES 32
bool parse_size(const char *text, uint64_t *ret_bytes);
/* As 1.5 GiB, for people; what programs read is in bytes. */
const char *size_text(uint64_t bytes, char text[SIZE_TEXT_BYTES]);
const char *time_text(uint64_t ns, char text[SIZE_TEXT_BYTES]);
const char *date_text(uint64_t seconds, char text[SIZE_TEXT_BYTES]);

/*
 * config.c: the path of a pool that is named, and the regions that its
 * configuration names, into @args.
 * Return: to be freed, as args->config; NULL when it failed and said so.
 */
char *find_pool(const char *name, struct args *args);

/* answer.c */
struct json_object *new_request(const char *verb);
void ask_text(struct json_object *request, const char *key, const char *text);
void ask_number(struct json_object *request, const char *key, uint64_t number);
void ask_flag(struct json_object *request, const char *key);
void print_json(struct json_object *object);
/* Fields of results. */
const char *text_in(struct json_object *object, const char *key);
uint64_t number_in(struct json_object *object, const char *key);
bool flag_in(struct json_object *object, const char *key);
struct json_object *part_in(struct json_object *object, const char *key);

/* session.c */
/*
 * Have a request answered, by a server or by opening the pool; the request is
 * put.  Return: 0 and *ret_result, to be put; or the exit status, and said why.
 */
int ask(const struct args *args, struct json_object *request, const struct control_io *io,
	struct json_object **ret_result);
/* The same; @why, when it has text in it in the end, is why it failed, and all that is said. */
int ask_with_end(const struct args *args, struct json_object *request, const struct control_io *io, const char *why,
		 struct json_object **ret_result);
/* The same as ask(), and the result is printed: as JSON, or by @print. */
int ask_and_print(const struct args *args, struct json_object *request,
		  void (*print)(const struct args *args, struct json_object *result));

/* progress.c */
struct progress {
	const char *what;
	enum progress_mode mode;
	double start_s, told_s;
	uint64_t done, total; /* the last that was heard; and what was told */
	uint64_t told_done;
	int nr_cut; /* from the bar, for the text beside it to fit */
	bool drawn;
};
void progress_begin(struct progress *progress, const struct args *args);
int progress_tell(void *progress, uint64_t done, uint64_t total);
void progress_end(struct progress *progress);

/* verbs */
int run_format(const struct args *args);
int run_info(const struct args *args);
int run_list(const struct args *args);
int run_stat(const struct args *args);
int run_map(const struct args *args);
int run_debug(const struct args *args);
int run_create(const struct args *args);
int run_resize(const struct args *args);
int run_rename(const struct args *args);
int run_set(const struct args *args);
int run_remove(const struct args *args);
int run_grow(const struct args *args);
int run_check(const struct args *args);
int run_export(const struct args *args);
int run_import(const struct args *args);

/* print_stat.c */
void print_stat(struct json_object *now);
void print_watch(struct json_object *before, struct json_object *now, bool header);
void print_prometheus(struct json_object *now);

#endif
