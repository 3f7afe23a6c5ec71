/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A place for each test of kern/source.h, and short words for what the tests do there. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "kern/source.h"

/* Somebody who owns nothing here. */
#define STRANGER 54321

/* A directory of its own for each test; paths below are relative to it. */
struct fixture {
	char *top;
	struct arena *arena;
	const char *directories[4];
	uid_t owner;
	struct source_options options;
	struct source *source;
};

#define assert_contains(text, part)                                                   \
	do {                                                                          \
		const char *_t = (text);                                              \
		if (!_t || !strstr(_t, (part)))                                       \
			fail_msg("\"%s\" not in \"%s\"", (part), _t ? _t : "(null)"); \
	} while (0)

/* The reason, as a comment of TAP in front of the skipped test. */
#define skip_because(reason)             \
	do {                             \
		(void)puts("# " reason); \
		(void)fflush(stdout);    \
		skip();                  \
	} while (0)

int setup(void **state);
int teardown(void **state);

const char *at(struct fixture *f, const char *path);
void make_directory(struct fixture *f, const char *path, mode_t mode);
void write_mode(struct fixture *f, const char *path, const char *text, mode_t mode);
void write_text(struct fixture *f, const char *path, const char *text);
void make_link(struct fixture *f, const char *target, const char *path);
void use_directory(struct fixture *f, const char *path);
/* One configuration directory, "d". */
void use_one(struct fixture *f);
void reread(struct fixture *f);
size_t file_count(struct fixture *f);
const struct source_file *file_named(struct fixture *f, const char *name);
const struct source_directory *directory_at(struct fixture *f, size_t i);
/* The names and what became of each, "a.yaml=applied b.yaml=masked". */
const char *summary(struct fixture *f);
void need_root(void);

/* What source_read_object gave. */
struct blob_result {
	int code;
	char text[64]; /* the content */
	char sha256[SHA256_HEX];
	const char *path, *reason;
	struct error e;
};

struct blob_result read_object(struct fixture *f, const char *name, const char *path);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
