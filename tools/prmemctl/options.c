/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verbs and their options: one table each, from which parsing and --help
 * are made.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tools/prmemctl/ctl.h"

const struct command commands[] = {
	{"format", "POOL", "make a new, empty pool",
	 "A new file needs --size. Where something is already, --force is needed, and all\n"
	 "that was there is lost.\n",
	 "slfpvj", 0, 0, run_format},
	{"info", "POOL", "show what a pool has: size, reserved, allocated, free", "", "gGjv", 0, 0, run_info},
	{"list", "POOL", "list the disks of a pool", "", "gGjv", 0, 0, run_list},
	{"stat", "POOL [DISK]", "show what was done, since the server was started",
	 "With --watch, like iostat: first what was done since then, and from then on what\n"
	 "is done in each interval. As there, an interval in seconds and a count may stand\n"
	 "behind it: --watch 2 5 is --watch=2 --count 5.\n",
	 "WnPgGjv", 0, 1, run_stat},
	{"create", "POOL DISK SIZE", "make a disk", "", "redgjv", 2, 2, run_create},
	{"resize", "POOL DISK SIZE", "change the size of a disk",
	 "Data behind the new end is given up only with --force.\n", "fgjv", 2, 2, run_resize},
	{"rename", "POOL DISK NEW", "give a disk another name", "", "gjv", 2, 2, run_rename},
	{"set", "POOL [DISK KEY=VALUE...]", "change what a disk, or the pool, says of itself",
	 "Keys of a disk:\n"
	 "  description=TEXT    shown to clients\n"
	 "  read-only=on|off    for clients that connect from now on\n"
	 "  reserve=on|off      always have room for all of its pages\n"
	 "Without a disk, --label or --low-space of the pool.\n",
	 "lLgjv", 0, 64, run_set},
	{"remove", "POOL DISK", "remove a disk and all that is in it",
	 "Refused while a client is connected, unless with --force.\n", "wfpgjv", 1, 1, run_remove},
	{"grow", "POOL", "make a pool larger",
	 "A pool in a file by --size; any pool by a further device or file with --add.\n", "sabfgjv", 0, 0, run_grow},
	{"check", "POOL", "check that all of a pool's structure proves itself",
	 "Exit status: 0 nothing found, 4 damage found, 8 could not be checked.\n", "DpgGjv", 0, 0, run_check},
	{"scrub", "POOL", "check, and read all data and verify its checksums",
	 "Exit status: 0 nothing found, 4 damage found, 8 could not be checked.\n", "DRpgGjv", 0, 0, run_check},
	{"repair", "POOL", "make a damaged pool whole again, as far as can be proved",
	 "Not while a server has the pool. Exit status: 0 nothing found, 1 all repaired,\n"
	 "4 damage is left, 8 could not be repaired.\n",
	 "SKpgjv", 0, 0, run_check},
	{"export", "POOL DISK FILE|-", "copy a disk to a file, which keeps its holes",
	 "A file is there as a whole or not at all.\n", "pgGjv", 2, 2, run_export},
	{"import", "POOL DISK FILE|-", "make a disk from a file, with its holes",
	 "The disk is there as a whole or not at all. One that exists is replaced with\n"
	 "--force only. With --size, what ends early (or does not end) is no disk.\n",
	 "sfpgjv", 2, 2, run_import},
	{"map", "POOL [DISK]", "draw where data lies", "", "gGjv", 0, 1, run_map},
	{"debug", "slot POOL DISK OFFSET", "show how a page of a disk is stored",
	 "The slot of the disk's index that decides what the page at OFFSET reads as: its\n"
	 "kind, page, node and proof, as stored and as computed.\n",
	 "gGjv", 2, 2, run_debug},
	{NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};

static const struct {
	char letter; /* of struct command; only --help and --version have one on the command line */
	const char *name;
	const char *argument;
	const char *what;
} options[] = {
	{'s', "size", "SIZE", "the size of the pool; of what is imported from a pipe"},
	{'l', "label", "TEXT", "a label for the pool"},
	{'L', "low-space", "SIZE", "the server warns when less than this is left; 0: never"},
	{'f', "force", NULL, "even if something is lost by it"},
	{'w', "wipe", NULL, "overwrite its pages with zeroes"},
	{'r', "reserve", NULL, "promise room for all of it now"},
	{'e', "read-only", NULL, "clients may not write"},
	{'d', "description", "TEXT", "a description, shown to clients"},
	{'a', "add", "PATH", "a device-DAX node or a file to be added"},
	{'b', "add-size", "SIZE", "make the file that is added, with this size"},
	{'D', "disk", "DISK", "only this disk"},
	{'R', "rate", "SIZE", "read at most this much a second; 0: no limit"},
	{'S', "scrub", NULL, "also settle pages whose content is damaged"},
	{'K', "keep", "FILE", "save there what is changed, before it is"},
	{'W', "watch", "[SECONDS]", "again and again (every second)"},
	{'n', "count", "N", "with --watch: so many reports, the first one among them"},
	{'P', "prometheus", NULL, "in Prometheus's text format"},
	{'p', "progress", "HOW", "auto, bar, plain (a line a second) or none"},
	{'g', "region", "PATH", "an added region is there now (may be given again)"},
	{'G', "degraded", NULL, "read what is whole, if a region is missing"},
	{'j', "json", NULL, "in JSON"},
	{'v', "verbose", NULL, "also what opening the pool has to say"},
	{'h', "help", NULL, "show this"},
};
#define NR_OPTIONS (sizeof options / sizeof options[0])

/* What getopt_long() returns for them: none is a letter that somebody types. */
#define LONG_OPTION 256

const struct command *
find_command(const char *name)
{
	for (const struct command *c = commands; c->name != NULL; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

void
print_help(void)
{
	printf("usage: prmemctl VERB [OPTION...] POOL [ARGUMENT...]\n\n");
	for (const struct command *c = commands; c->name != NULL; c++)
		printf("  %-7s %-25s %s\n", c->name, c->usage, c->what);
	printf("\nPOOL is a path, or the name of a pool that is configured in %s.\n"
	       "prmemctl VERB --help tells of one verb; --version, of this program; all verbs\n"
	       "take --json. Sizes are in bytes, or with K, M, G or T behind the number.\n",
	       CONFDIR);
}

void
print_command_help(const struct command *c)
{
	printf("usage: prmemctl %s [OPTION...] %s\n\n%s: %s.\n%s%s\n", c->name, c->usage, c->name, c->what,
	       c->more[0] != '\0' ? "\n" : "", c->more);
	for (size_t i = 0; i < NR_OPTIONS; i++) {
		char option[40];

		if (strchr(c->options, options[i].letter) == NULL && options[i].letter != 'h')
			continue;
		if (options[i].argument == NULL)
			snprintf(option, sizeof option, "--%s", options[i].name);
		else if (options[i].argument[0] == '[')
			snprintf(option, sizeof option, "--%s[=SECONDS]", options[i].name);
		else
			snprintf(option, sizeof option, "--%s %s", options[i].name, options[i].argument);
		printf("  %-20s %s\n", option, options[i].what);
	}
}

static bool
take_size(const char *name, const char *text, uint64_t *ret_bytes)
{
	if (parse_size(text, ret_bytes))
		return true;
	say_error("--%s: %.60s is no size; give a number, with K, M, G or T behind it", name, or_quotes(text));
	return false;
}

static bool
take_progress(const char *text, enum progress_mode *ret_mode)
{
	static const char *const names[] = {"auto", "bar", "plain", "none"};

	for (unsigned int i = 0; i < 4; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_mode = (enum progress_mode)i;
			return true;
		}
	}
	say_error("--progress: %.60s is not known; give auto, bar, plain or none", or_quotes(text));
	return false;
}

static bool
take_seconds(const char *text, double *ret_seconds)
{
	char *end;
	double seconds = text == NULL ? 1 : strtod(text, &end);

	if (text == NULL || (*text != '\0' && *end == '\0' && seconds >= 0.01 && seconds <= 86400)) {
		*ret_seconds = seconds;
		return true;
	}
	say_error("--watch: %.60s is no number of seconds, 0.01 to 86400", or_quotes(text));
	return false;
}

static bool
take_count(const char *text, unsigned int *ret_count)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < 1 || n > 1000000000) {
		say_error("--count: %.60s is no count, 1 or more", or_quotes(text));
		return false;
	}
	*ret_count = (unsigned int)n;
	return true;
}

/* As iostat has them: an interval, and a count.  Return: how many of the two words they are; -1, and said so. */
static int
take_interval(char **words, struct args *a)
{
	if (words[0] == NULL || words[0][0] < '0' || words[0][0] > '9' || strpbrk(words[0], "/") != NULL)
		return 0;
	if (!take_seconds(words[0], &a->watch_s))
		return -1;
	if (words[1] == NULL || words[1][0] < '0' || words[1][0] > '9')
		return 1;
	return take_count(words[1], &a->count) ? 2 : -1;
}

/* Return: false when its argument is wrong, and said so. */
static bool
take_option(char letter, const char *text, struct args *a)
{
	switch (letter) {
	case 's':
		return (a->has_size = take_size("size", text, &a->size_bytes));
	case 'l':
		a->label = text;
		return true;
	case 'L':
		return (a->has_low_space = take_size("low-space", text, &a->low_space_bytes));
	case 'f':
		return (a->force = true);
	case 'w':
		return (a->wipe = true);
	case 'r':
		return (a->reserve = true);
	case 'e':
		return (a->read_only = true);
	case 'd':
		a->description = text;
		return true;
	case 'a':
		a->add = text;
		return true;
	case 'b':
		return (a->has_add_size = take_size("add-size", text, &a->add_size_bytes));
	case 'D':
		a->disk = text;
		return true;
	case 'R':
		return take_size("rate", text, &a->rate_bytes);
	case 'S':
		return (a->scrub = true);
	case 'K':
		a->keep = text;
		return true;
	case 'W':
		return take_seconds(text, &a->watch_s);
	case 'n':
		return take_count(text, &a->count);
	case 'P':
		return (a->prometheus = true);
	case 'p':
		return take_progress(text, &a->progress);
	case 'g':
		if (a->nr_regions == REGIONS_MAX) {
			say_error("--region: more than %d of them", REGIONS_MAX);
			return false;
		}
		a->regions[a->nr_regions++] = text;
		return true;
	case 'G':
		return (a->degraded = true);
	case 'j':
		return (a->json = true);
	default:
		return (a->verbose = true);
	}
}

/* getopt() stopped: an argument is missing behind @word, or something about it, or a letter in it, is wrong. */
static void
say_unknown(const struct command *command, bool missing, const char *word)
{
	const char letter[3] = {'-', (char)optopt, '\0'};

	if (missing)
		say_error("%s: an argument is missing behind %.60s; prmemctl %s --help lists what there is",
			  command->name, word, command->name);
	else if (optopt >= LONG_OPTION)
		say_error("%s: takes no argument: %.60s; prmemctl %s --help lists what there is", command->name, word,
			  command->name);
	else
		say_error("%s: does not know %.60s; prmemctl %s --help lists what there is", command->name,
			  optopt != 0 ? letter : word, command->name);
}

static bool
is_first_word(const char *words, const char *word)
{
	size_t len = strcspn(words, " ");

	return word != NULL && strlen(word) == len && strncmp(word, words, len) == 0;
}

int
parse_args(const struct command *command, int argc, char **argv, struct args *ret_args, int *ret_exit)
{
	struct args a = {.verb = command->name};
	struct option table[NR_OPTIONS + 1] = {0};
	int nr = 0, c;

	for (size_t i = 0; i < NR_OPTIONS; i++) {
		if (strchr(command->options, options[i].letter) == NULL && options[i].letter != 'h')
			continue;
		table[nr].name = options[i].name;
		table[nr].has_arg = options[i].argument == NULL	    ? no_argument
				    : options[i].argument[0] == '[' ? optional_argument
								    : required_argument;
		table[nr++].val = LONG_OPTION + (unsigned char)options[i].letter;
	}
	*ret_exit = exit_for(&a, -EINVAL);
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (c == LONG_OPTION + 'h') {
			print_command_help(command);
			*ret_exit = EXIT_OK;
			return -1;
		}
		if (c == '?' || c == ':') {
			say_unknown(command, c == ':', argv[optind - 1]);
			return -1;
		}
		if (!take_option((char)(c - LONG_OPTION), optarg, &a))
			return -1;
		if (c == LONG_OPTION + 'W' && optarg == NULL) {
			int nr_words = take_interval(argv + optind, &a);

			if (nr_words < 0)
				return -1;
			optind += nr_words;
		}
	}
	if (command->usage[0] >= 'a' && command->usage[0] <= 'z') {
		if (!is_first_word(command->usage, argv[optind])) {
			say_error("usage: prmemctl %s [OPTION...] %s", command->name, command->usage);
			return -1;
		}
		optind++;
	}
	a.pool_name = optind < argc ? argv[optind] : NULL;
	a.rest = argv + optind + 1;
	a.nr_rest = argc - optind - 1;
	if (a.pool_name == NULL || a.nr_rest < command->nr_min || a.nr_rest > command->nr_max) {
		say_error("usage: prmemctl %s [OPTION...] %s", command->name, command->usage);
		return -1;
	}
	*ret_args = a;
	return 0;
}
