/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Three ways, by what can go wrong with them:
 *
 * - Hashes by BPF_MAP_LOOKUP_BATCH (all kinds since Linux 5.6), which goes by buckets. An entry never changes its
 *   bucket, so nothing that stays is missed, whatever programs add and delete meanwhile. By keys a walk
 *   begins anew whenever the present key was deleted, perhaps for ever.
 * - Arrays the same way, per-CPU ones (whose batches are younger, Linux 5.13) by index.
 * - Tries by keys, since the kernel has nothing better: the walk begins anew where a key went, and is bounded. A lookup finds
 *   the longest prefix, so a key that goes between the two calls is reported with the value of a shorter one.
 */
#include "kern/map_reader.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/macros.h"

/* Where that is less than a bucket has, the kernel says so. */
#define BATCH_BYTES (1024 * 1024)

/* Between two looks at the clock. */
#define CLOCK_STEPS 256

/* How often a trie may be walked, counted in entries, before its changes are too fast for us. */
#define TRIE_WALKS 16

uint64_t map_now_ns(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int check_time(const struct map_reader *r, struct error *e)
{
	return map_now_ns() < r->deadline_ns ?
		       0 :
		       error_set(e, -ETIMEDOUT,
				 "it takes too long, and nothing else can be "
				 "done meanwhile");
}

/* --- what kind of map it is ------------------------------------------------------------- */

static bool is_hash(uint32_t type)
{
	return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static bool is_array(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static bool is_percpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

/* The kernel looks at the flag before it looks for the key, and refuses it for values without a lock. */
static int find_lock(struct map_reader *r, struct error *e)
{
	cleanup(freep) void *key = NULL, *value = NULL;
	int code;

	if (r->type != BPF_MAP_TYPE_HASH && r->type != BPF_MAP_TYPE_ARRAY)
		return 0;
	key = xcalloc(1, r->key_size);
	value = xcalloc(1, r->value_size);
	code = bpf_map_lookup_elem_flags(r->fd, key, value, BPF_F_LOCK);
	r->locked = code == 0 || code == -ENOENT;
	if (!r->locked && code != -EINVAL)
		return error_set(e, code, "cannot tell whether its values have a lock: %s",
				 error_string(code));
	return 0;
}

int map_reader_init(struct map_reader *r, int fd, uint64_t deadline_ns, struct error *e)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	int cpus = libbpf_num_possible_cpus();

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return error_set(e, -errno, "cannot look at it: %s", error_string(errno));
	if (!is_hash(info.type) && !is_array(info.type) && info.type != BPF_MAP_TYPE_LPM_TRIE)
		return error_set(e, -EOPNOTSUPP, "entries of maps of type %u cannot be copied",
				 info.type);
	if (is_percpu(info.type) && cpus < 0)
		return error_set(e, cpus, "cannot tell how many CPUs are possible: %s",
				 error_string(cpus));
	*r = (struct map_reader){
		.fd = fd,
		.id = info.id,
		.type = info.type,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.max_entries = info.max_entries,
		.flags = info.map_flags,
		.is_array = is_array(info.type),
		.deadline_ns = deadline_ns,
	};
	if (is_percpu(info.type))
		r->value_size = (info.value_size + 7) / 8 * 8 * (uint32_t)cpus;
	return find_lock(r, e);
}

/* --- by batches --------------------------------------------------------------------------------- */

struct batch {
	unsigned char *keys, *values;
	uint32_t room;     /* entries */
	uint32_t at, next; /* positions, as the kernel has them */
	bool begun;
};

static void batch_done(struct batch *b)
{
	free(b->keys);
	free(b->values);
}

static void batch_resize(const struct map_reader *r, struct batch *b, uint32_t room)
{
	b->room = room;
	b->keys = xrealloc(b->keys, (size_t)room * r->key_size);
	b->values = xrealloc(b->values, (size_t)room * r->value_size);
}

/* The entries of some buckets; 1: there are more, 0: these were the last. */
static int batch_fetch(const struct map_reader *r, struct batch *b, uint32_t *ret_count,
		       struct error *e)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = r->locked ? BPF_F_LOCK : 0);

	for (;;) {
		int code;

		*ret_count = b->room;
		code = bpf_map_lookup_batch(r->fd, b->begun ? &b->at : NULL, &b->next, b->keys,
					    b->values, ret_count, &opts);
		if (code == 0 || code == -ENOENT) {
			b->at = b->next;
			b->begun = true;
			return code == 0;
		}
		/* A bucket that does not fit, which tells nothing of how large it is. */
		if (code == -ENOSPC && b->room / 4 <= r->max_entries)
			batch_resize(r, b, b->room * 2);
		else if (code != -EINTR && code != -EAGAIN)
			return error_set(e, code, "cannot read its entries: %s",
					 error_string(code));
		code = check_time(r, e);
		if (code < 0)
			return code;
	}
}

static int read_batches(const struct map_reader *r, map_visit *visit, void *arg, struct error *e)
{
	cleanup(batch_done) struct batch b = { 0 };
	uint32_t room = BATCH_BYTES / (r->key_size + r->value_size);
	int more, code;

	batch_resize(r, &b, MAX(room, 1u));
	do {
		uint32_t count;

		more = batch_fetch(r, &b, &count, e);
		code = MIN(more, 0);
		if (code == 0 && count > 0)
			code = visit(arg, b.keys, b.values, count, e);
		if (code == 0)
			code = check_time(r, e);
	} while (more > 0 && code == 0);
	return code;
}

/* --- one by one --------------------------------------------------------------------- */

/* 1: found, 0: not there. */
static int look_up(const struct map_reader *r, const void *key, void *value, struct error *e)
{
	int code = bpf_map_lookup_elem_flags(r->fd, key, value, r->locked ? BPF_F_LOCK : 0);

	if (code < 0 && code != -ENOENT)
		return error_set(e, code, "cannot read an entry: %s", error_string(code));
	return code == 0;
}

static int read_array(const struct map_reader *r, map_visit *visit, void *arg, struct error *e)
{
	cleanup(freep) void *value = xcalloc(1, r->value_size);

	for (uint32_t key = 0; key < r->max_entries; key++) {
		int code = key % CLOCK_STEPS ? 0 : check_time(r, e);

		if (code == 0)
			code = look_up(r, &key, value, e);
		if (code > 0)
			code = visit(arg, (const unsigned char *)&key, value, 1, e);
		if (code < 0)
			return code;
	}
	return 0;
}

/* 1: there is a next key, 0: there is none. */
static int next_key(const struct map_reader *r, const void *key, void *ret, struct error *e)
{
	int code = bpf_map_get_next_key(r->fd, key, ret);

	if (code < 0 && code != -ENOENT)
		return error_set(e, code, "cannot read its keys: %s", error_string(code));
	return code == 0;
}

static int read_trie(const struct map_reader *r, map_visit *visit, void *arg, struct error *e)
{
	cleanup(freep) unsigned char *keys = xcalloc(2, r->key_size);
	cleanup(freep) void *value = xcalloc(1, r->value_size);
	uint64_t steps = 0, steps_max = (uint64_t)TRIE_WALKS * r->max_entries + CLOCK_STEPS;
	int more = next_key(r, NULL, keys, e);

	while (more > 0) {
		unsigned char *key = keys + steps % 2 * r->key_size;
		int code = 0;

		if (steps % CLOCK_STEPS == 0)
			code = check_time(r, e);
		if (++steps > steps_max)
			return error_set(e, -EAGAIN,
					 "its keys change faster than they can be read");
		/* First, since visit may delete this one. */
		more = next_key(r, key, keys + steps % 2 * r->key_size, e);
		if (code == 0 && more >= 0)
			code = look_up(r, key, value, e);
		if (code > 0 && more >= 0)
			code = visit(arg, key, value, 1, e);
		if (code < 0)
			return code;
	}
	return more;
}

int map_read(const struct map_reader *r, map_visit *visit, void *arg, struct error *e)
{
	if (r->type == BPF_MAP_TYPE_PERCPU_ARRAY)
		return read_array(r, visit, arg, e);
	if (r->type == BPF_MAP_TYPE_LPM_TRIE)
		return read_trie(r, visit, arg, e);
	return read_batches(r, visit, arg, e);
}
