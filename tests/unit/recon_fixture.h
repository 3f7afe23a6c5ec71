/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * recon over the fake kernel, with the real loader on real directories: a node in a temporary directory, on
 * which processes follow one another.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>

#include "fake/kern_fake.h"
#include "recon/recon.h"

#define SECOND 1000000000ull

#define FILES  (RECON_DIRTY_FILES | RECON_DIRTY_KERNEL)
#define KERNEL RECON_DIRTY_KERNEL

#define ON(name, interface)                                                   \
	"objects: {" name ": {file: test_trace.bpf.o, programs: {xdp_trace: " \
	"{attach: [{xdp: {interface: " interface "}}]}}}}\n"

struct fixture {
	struct arena *a;
	char *top;
	const char *directories[2]; /* d, and on demand v */
	size_t directory_count;
	struct kern_fake *kernel;
	size_t observations, blind_from, blind_for; /* observations that fail, by number from 1 */
	struct loader *loader;
	struct recon *recon;
	/* Somebody who is quick: called after each operation that succeeded, before anything is looked at again. */
	void (*opponent)(struct fixture *f, const struct op *op);
	size_t root_sets; /* so far, likewise tc_sets */
	size_t tc_sets;
	size_t loads; /* counted by an opponent */
	uint64_t now;
	struct error e;
};

/* This many observations fail, after so many that do not. */
void blind(struct fixture *f, size_t after, size_t n);
const char *at(struct fixture *f, const char *path);
void write_bytes(struct fixture *f, const char *path, const void *data, size_t size);
void write_text(struct fixture *f, const char *path, const char *text);
void copy_object(struct fixture *f, const char *name);
void add_interface(struct fixture *f, const char *name);
/* A new process on the same node. */
void start(struct fixture *f);
void stop(struct fixture *f);
void restart(struct fixture *f);
int setup(void **state);
int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw);
int teardown(void **state);
int run(struct fixture *f, unsigned int dirty);
void pass(struct fixture *f, unsigned int dirty);
void pass_anew(struct fixture *f); /* the first one of another process */
bool converged(struct fixture *f);
void assert_has(const char *text, const char *part);
bool runs(struct fixture *f, const char *interface, const char *object);
const char *ours(struct fixture *f);
const char *settled(struct fixture *f); /* what there is of ours after a pass */
/* How many events say this. */
size_t told(struct fixture *f, const char *part);
const struct desired_file *file(struct fixture *f, const char *name);

/* Every file of the directory has another content then. */
void damage_all(struct fixture *f, const char *directory);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
