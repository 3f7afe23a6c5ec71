/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A world for the tests of mounts: a mount namespace of its own, and in it one
 * shared tmpfs with a bpffs, a run directory and maps to share.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "kern/context.h"

#define MEMBER_UID   65533
#define STRANGER_UID 65532
#define SHARE_GID    65533
#define STRANGER_GID 65532

extern struct world {
	char root[64]; /* the tmpfs */
	struct kern_context c;
	struct arena *a;  /* of the present test */
	int map_a, map_b; /* pinned as maps a and b of version v of instance x */
	uint32_t id_a, id_b;
} world;

/* Runs the tests and returns the exit status, or skips all and says why. */
#define WORLD_RUN(name, tests)                                                           \
	(world_can_be_made() ?                                                           \
		 cmocka_run_group_tests_name(name, tests, world_setup, world_teardown) : \
		 0)
bool world_can_be_made(void);
int world_setup(void **state);
int world_teardown(void **state);

/* Setup of each test: new memory. Teardown: everything that is ours or in the way is unmounted. */
int world_begin(void **state);
int world_end(void **state);
#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

/* A path in the world, from the present test's memory. */
const char *world_path(const char *relative);

/* Descriptors of a map pin; -errno. */
int open_read(const char *path);
int open_write(const char *path);

/*
 * Calls f(arg) in a child with no privilege and yields what it returns, 0…255; gid is the only
 * group.
 */
int as_user(uid_t uid, gid_t gid, int (*f)(const char *arg), const char *arg);
bool unprivileged_bpf_is_blocked(void); /* before Linux 5.19 by a sysctl */

/*
 * A child that calls f(arg) again and again until it does not return 0; stop() yields the last,
 * and how many were 0.
 */
struct prober;
struct prober *prober_start(int (*f)(const char *arg), const char *arg);
int prober_stop(struct prober *p, unsigned long *ret_rounds);
void prober_wait(const struct prober *p, unsigned long rounds); /* until it has done so many more */

/*
 * A child in a mount namespace of its own that receives our mounts, where dir is bound to the
 * world's "seen".
 */
struct container;
struct container *container_start(const char *dir);
/* The id of the map behind seen/relative there, 0 without one. */
uint32_t container_map_id(struct container *c, const char *relative);
void container_stop(struct container *c);

/* Operations. */
struct op share_op(enum op_kind kind, const char *share, const char *path);
struct op_share_pin share_pin(const char *alias, const char *map, uint32_t mode);
struct op_result apply(const struct op *op);
void apply_fine(const struct op *op);
void apply_fails(const struct op *op, const char *reason, enum failure_class class,
		 const char *words);

/*
 * A sealed share at its default path with map a as "a"; an unsealed one that has it writable as
 * "w" and b as "r".
 */
const char *mount_sealed(const char *share);
const char *mount_writable(const char *share);

struct observed observe(const char *const *paths, size_t n);
struct observed_mount observe_at(const char *path); /* fails the test if there is none */
