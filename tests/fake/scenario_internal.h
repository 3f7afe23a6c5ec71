/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the parts of a scenario share: its state, and the words of the line that is run. */
#pragma once

#include "base/error.h"
#include "base/hash.h"
#include "fake/driver.h"
#include "fake/scenario.h"

#define WORDS_MAX 16

struct elf_file {
	const char *name;
	char sha256[SHA256_HEX];
	struct elf_object *elf;
};

struct scenario {
	struct arena *a; /* of the whole story: configuration, names */
	const char *dir;
	struct kern_fake *kernel;
	struct driver driver;
	struct settings settings;
	struct node node;
	LIST(struct elf_file) elves;
	LIST(struct label) labels;
	struct string_list files, invalid; /* of the last plan or apply */
	struct strbuf *out;
	struct error *e;
	bool indented;
	char *words[WORDS_MAX];
	size_t n;
};

/* The i-th word of the line, "" beyond its end; the same as a number. */
const char *scenario_word(const struct scenario *s, size_t i);
uint32_t scenario_number(const struct scenario *s, size_t i);
/* The value of "KEY=VALUE" among the words, else NULL. */
const char *scenario_option(const struct scenario *s, const char *key);
/* Whether one of the words is this. */
bool scenario_flag(const struct scenario *s, const char *name);
/* "a,b,c" */
struct string_list scenario_split(struct arena *a, const char *s);
uint32_t scenario_verdicts(struct scenario *s, const char *list);

/* scenario_elf.c: object files; each returns 0 or -EINVAL with a message in s->e. */
int scenario_elf(struct scenario *s);
int scenario_map(struct scenario *s);
int scenario_variable(struct scenario *s);
int scenario_program(struct scenario *s);
/* What reading the object file at this path gives. */
const struct object_source *scenario_source(struct scenario *s, const char *path);
