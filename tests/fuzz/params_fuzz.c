/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random parameters: each list of them is taken, and then says what the texts
 * say, or refused with one error of one line.  The parser is the plugin's; the
 * few functions of nbdkit that it calls are made here.
 *
 *	params_fuzz [-s seed] [-n number]
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plugin/params.c" /* what was given is static in it */

#include "common/compiler.h"
#include "common/mix64.h"
#include "tests/unit/unit.h"

#define MAX_PARAMS 6u
#define MAX_INTERNED 70000u

uint64_t unit_seed = 1;

static char error_text[4096];
static unsigned int nr_errors;
static char *interned[MAX_INTERNED];
static size_t nr_interned;

void
nbdkit_error(const char *fmt, ...)
{
	va_list ap;

	nr_errors++;
	va_start(ap, fmt);
	vsnprintf(error_text, sizeof error_text, fmt, ap);
	va_end(ap);
}

char *
nbdkit_absolute_path(const char *path)
{
	char *text = malloc(strlen(path) + 8);

	CHECK(text != NULL);
	sprintf(text, "%s%s", path[0] == '/' ? "" : "/cwd/", path);
	return text;
}

const char *
nbdkit_strndup_intern(const char *text, size_t len_bytes)
{
	CHECK(nr_interned < MAX_INTERNED);
	interned[nr_interned] = strndup(text, len_bytes);
	CHECK(interned[nr_interned] != NULL);
	return interned[nr_interned++];
}

const char *
size_text(uint64_t bytes, char text[SIZE_TEXT_BYTES])
{
	snprintf(text, SIZE_TEXT_BYTES, "%llu bytes", (unsigned long long)bytes);
	return text;
}

/* ---- random texts ---- */

static const char *
one_of(const char *const *list, size_t nr)
{
	return list[unit_random() % nr];
}
#define ONE_OF(list) one_of(list, ARRAY_SIZE(list))

static size_t
random_size(char *text, size_t max)
{
	static const char *const numbers[] = {"0",
					      "1",
					      "4",
					      "512",
					      "1023",
					      "16",
					      "17",
					      "16384",
					      "18446744073709551615",
					      "18446744073709551616",
					      "9223372036854775807",
					      "00000000000000000001",
					      "99999999999999999999999999"};
	static const char *const units[] = {"",	 "K", "k", "M",	 "G", "T", "P", "E",
					    "B", "s", "b", "KB", "x", " ", "-", ".5G"};
	static const char *const heads[] = {"", "", "", "", "", "", "-", "+", " ", "0x"};

	if (unit_random() % 3 == 0)
		return (size_t)snprintf(text, max, "%s%llu%s", ONE_OF(heads),
					(unsigned long long)(unit_random() >> unit_random() % 64), ONE_OF(units));
	return (size_t)snprintf(text, max, "%s%s%s", ONE_OF(heads), ONE_OF(numbers), ONE_OF(units));
}

static void
random_noise(char *text, size_t max)
{
	static const char *const bits[] = {"\n", "%s", "%n", "\033[2J", ",",	"=",
					   "/",	 "@",  "é",  "\377",	"auto", "pram0",
					   "0",	 "1G", "-",  " ",	"\t",	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
					   "\r", "x"};
	size_t len = 0;

	text[0] = '\0';
	for (uint64_t i = unit_random() % 8; i > 0; i--) {
		const char *bit = ONE_OF(bits);

		if (len + strlen(bit) + 1 < max)
			len += (size_t)sprintf(text + len, "%s", bit);
	}
}

static void
random_list(char *text, size_t max)
{
	uint64_t nr = unit_random() % 4 == 0 ? unit_random() % 300 : unit_random() % 5;
	size_t len = 0;

	text[0] = '\0';
	for (uint64_t i = 0; i < nr && len + 64 < max; i++) {
		len += unit_random() % 16 == 0
			       ? random_size(text + len, max - len)
			       : (size_t)sprintf(text + len, "%u", (unsigned int)(unit_random() % 99 + 1));
		if (i + 1 < nr)
			len += (size_t)sprintf(text + len, ",");
	}
}

static void
random_value(const char *key, char *text, size_t max)
{
	static const char *const formats[] = {"auto", "never", "force", "AUTO", ""};
	static const char *const numbers[] = {"1", "2", "256", "65536", "65537", "0", "-1", "1 ", "4294967297"};
	static const char *const flags[] = {"yes", "no", "1",  "0", "ON", "off", "True",
					    "f",   "y",	 "n ", "2", "",	  "nope"};

	if (unit_random() % 5 == 0)
		random_noise(text, max);
	else if (strcmp(key, "sizes") == 0)
		random_list(text, max);
	else if (strcmp(key, "format") == 0)
		snprintf(text, max, "%s", ONE_OF(formats));
	else if (strcmp(key, "max-disks") == 0)
		snprintf(text, max, "%s", ONE_OF(numbers));
	else if (strcmp(key, "degraded") == 0)
		snprintf(text, max, "%s", ONE_OF(flags));
	else if (strcmp(key, "pool") == 0 || strcmp(key, "disk") == 0 || strcmp(key, "region") == 0)
		snprintf(text, max, "name%u", (unsigned int)(unit_random() % 9));
	else
		(void)random_size(text, max);
}

/* ---- what a text says ---- */

/* Return: is it a size that may be, and which? */
static bool
size_of(const char *text, size_t len, uint64_t min, uint64_t max, uint64_t *ret_bytes)
{
	static const char letters[] = "bs k m g t p e";
	static const unsigned int shifts[] = {0, 9, 0, 10, 0, 20, 0, 30, 0, 40, 0, 50, 0, 60};
	unsigned __int128 n = 0;
	size_t i = 0;

	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		n = MIN(n * 10 + (unsigned int)(text[i] - '0'), (unsigned __int128)UINT64_MAX + 1);
	if (i == 0 || len - i > 1)
		return false;
	if (i < len) {
		const char *unit = text[i] == ' ' ? NULL : strchr(letters, tolower((unsigned char)text[i]));

		if (unit == NULL || *unit == '\0')
			return false;
		n <<= shifts[unit - letters];
	}
	*ret_bytes = (uint64_t)MIN(n, (unsigned __int128)UINT64_MAX);
	return n >= min && n <= max;
}

/* What was taken is what was given. */
static void
compare(const char *const *keys, char (*values)[4096], size_t nr)
{
	uint64_t bytes;

	for (size_t i = 0; i < nr; i++) {
		const char *v = values[i];

		if (strcmp(keys[i], "size") == 0) {
			CHECK(size_of(v, strlen(v), 1, PRMEM_DISK_SIZE_MAX, &bytes));
			CHECK_EQ(params.nr_wanted, 1);
			CHECK_EQ(params.wanted[0].size_bytes, bytes);
		} else if (strcmp(keys[i], "pool-size") == 0) {
			CHECK(size_of(v, strlen(v), PRMEM_POOL_SIZE_MIN, PRMEM_POOL_SIZE_MAX, &bytes));
			CHECK_EQ(params.pool_size_bytes, bytes);
		} else if (strcmp(keys[i], "low-space") == 0) {
			CHECK(size_of(v, strlen(v), 0, PRMEM_POOL_SIZE_MAX, &bytes));
			CHECK_EQ(params.low_space_bytes, bytes);
		} else if (strcmp(keys[i], "sizes") == 0) {
			for (size_t d = 0; d < params.nr_wanted; d++) {
				size_t len = strcspn(v, ",");

				CHECK(size_of(v, len, 1, PRMEM_DISK_SIZE_MAX, &bytes));
				CHECK_EQ(params.wanted[d].size_bytes, bytes);
				CHECK(disk_name_is_valid(params.wanted[d].name));
				v += len + (v[len] == ',');
			}
			CHECK(*v == '\0' && params.nr_wanted >= 1 && params.nr_wanted <= params.max_disks);
		} else if (strcmp(keys[i], "degraded") == 0) {
			CHECK(*v != '\0' && strchr(params.degraded ? "1yYtToO" : "0nNfFoO", *v) != NULL);
			CHECK(tolower((unsigned char)*v) != 'o' || params.degraded == (strlen(v) == 2));
		} else if (strcmp(keys[i], "disk") == 0) {
			CHECK_STR(params.disk, v);
			CHECK(disk_name_is_valid(v));
		}
	}
}

static void
begin_anew(void)
{
	params_free();
	params = (struct params){.format = PRMEM_FORMAT_AUTO, .max_disks = MAX_DISKS_DEFAULT};
	memset(given, 0, sizeof given);
	given_size = given_sizes = NULL;
	while (nr_interned > 0)
		free(interned[--nr_interned]);
	nr_errors = 0;
}

static bool
try_one(void)
{
	static const char *const keys[] = {"size",	"sizes",    "pool-size", "format", "max-disks",
					   "low-space", "degraded", "region",	 "disk",   "pool",
					   "Pool",	"x",	    "pool_size", "sizes."};
	static char values[MAX_PARAMS][4096];
	const char *chosen[MAX_PARAMS];
	size_t nr = unit_random() % (MAX_PARAMS - 1) + 1;
	int r = 0;

	begin_anew();
	chosen[0] = "pool";
	for (size_t i = 0; i < nr && r == 0; i++) {
		if (i > 0)
			chosen[i] = one_of(keys, unit_random() % 8 == 0 ? ARRAY_SIZE(keys) : 9);
		random_value(chosen[i], values[i], sizeof values[i]);
		r = params_config(chosen[i], values[i]);
		CHECK(r == 0 || r == -1);
	}
	if (r == 0)
		r = params_complete();
	CHECK_EQ(nr_errors, r == 0 ? 0 : 1);
	if (r == 0) {
		compare(chosen, values, nr);
		return true;
	}
	for (const char *p = error_text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == '\177') {
			fprintf(stderr, "the error has a control character: %s\n", error_text);
			abort();
		}
	}
	CHECK(strlen(error_text) > 10 && strlen(error_text) < 400);
	return false;
}

int
main(int argc, char **argv)
{
	uint64_t nr = 20000, nr_taken = 0;
	struct timespec now;
	int opt;

	clock_gettime(CLOCK_REALTIME, &now);
	unit_seed = (uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec;
	while ((opt = getopt(argc, argv, "s:n:")) != -1) {
		if (opt == 's') {
			unit_seed = strtoull(optarg, NULL, 0);
		} else if (opt == 'n') {
			nr = strtoull(optarg, NULL, 0);
		} else {
			fprintf(stderr, "usage: %s [-s seed] [-n number]\n", argv[0]);
			return 2;
		}
	}
	printf("seed %" PRIu64 " (repeat with -s %" PRIu64 ")\n", unit_seed, unit_seed);
	fflush(stdout);
	for (uint64_t i = 0; i < nr; i++)
		nr_taken += try_one();
	begin_anew();
	printf("parameter lists: %" PRIu64 ", %" PRIu64 " of them taken\n", nr, nr_taken);
	CHECK(nr < 1000 || (nr_taken > 0 && nr_taken < nr));
	return 0;
}
