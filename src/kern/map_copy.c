/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Programs of the old version go on while the first sweep reads, and those of the new version while the second one
 * writes. The kernel has no compare-and-swap for entries, so what is honest is this: an entry that only one of
 * the two versions changed since the first sweep has that version's value; one that both changed has the new
 * version's. What a program writes in the moment between our look at an entry and our write to it is lost, and so are
 * counts that both versions added to one entry: only a map that is kept loses nothing.
 */
#include "kern/map_copy.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/map_reader.h"
#include "kern/pin.h"
#include "model/layout.h"

/* ENOTSUPP of the kernel, which never was meant for user space and reaches it all the same. */
#define KERNEL_ENOTSUPP 524

/* Entries that go into the list of one CPU before the next one's turn. */
#define LRU_RUN 16

struct map_sweep map_sweep_begin(const struct kern_context *c)
{
	int64_t ms = MIN(*c->sweep_ms, (int64_t)MAP_SWEEP_MS);
	struct map_sweep s = { .left_ms = c->sweep_ms, .begun_ns = map_now_ns() };

	s.whole = ms == MAP_SWEEP_MS;
	s.deadline_ns = s.begun_ns + (uint64_t)MAX(ms, (int64_t)0) * 1000000;
	return s;
}

void map_sweep_end(struct map_sweep *s)
{
	*s->left_ms -= (int64_t)((map_now_ns() - s->begun_ns) / 1000000);
}

static int init_readers(struct map_reader readers[2], const int fds[2], uint64_t deadline_ns,
			struct error *e)
{
	int r = map_reader_init(&readers[0], fds[0], deadline_ns, e);

	if (r == 0)
		r = map_reader_init(&readers[1], fds[1], deadline_ns, e);
	if (r < 0)
		return r;
	if (readers[0].type != readers[1].type || readers[0].key_size != readers[1].key_size ||
	    readers[0].value_size != readers[1].value_size)
		return error_set(e, -EINVAL, "the two maps are of different kinds");
	return 0;
}

static void fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

/* --- the first sweep ---------------------------------------------------------------------- */

/*
 * With BPF_F_NO_COMMON_LRU each CPU has a share of the entries of its own, and what is added on one CPU beyond its share
 * pushes others out: so the writes go round.
 */
struct spreading {
	bool wanted;
	cpu_set_t before;
	int cpu;
};

static void spreading_begin(struct spreading *s, const struct map_reader *to)
{
	s->cpu = -1;
	s->wanted = (to->flags & BPF_F_NO_COMMON_LRU) &&
		    sched_getaffinity(0, sizeof(s->before), &s->before) == 0;
}

static void spreading_step(struct spreading *s)
{
	cpu_set_t one;

	do
		s->cpu = (s->cpu + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(s->cpu, &s->before));
	CPU_ZERO(&one);
	CPU_SET(s->cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static void spreading_done(struct spreading *s)
{
	if (s->wanted)
		(void)sched_setaffinity(0, sizeof(s->before), &s->before);
}

struct copying {
	const struct map_reader *to;
	struct map_snapshot *snapshot;
	struct spreading spreading;
	const void *zeros; /* of an array: what every entry of the new one is already */
	uint64_t count;
};

static int write_one_by_one(struct copying *c, const unsigned char *keys,
			    const unsigned char *values, uint32_t count)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		r = bpf_map_update_elem(c->to->fd, keys + (size_t)i * c->to->key_size,
					values + (size_t)i * c->to->value_size, BPF_ANY);
		c->count += r == 0;
	}
	return r;
}

static int write_run(struct copying *c, const unsigned char *keys, const unsigned char *values,
		     uint32_t count, struct error *e)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t written = count;
	int r = -KERNEL_ENOTSUPP;

	if (c->spreading.wanted)
		spreading_step(&c->spreading);
	if (count > 1) {
		r = bpf_map_update_batch(c->to->fd, keys, values, &written, &opts);
		c->count += r == -KERNEL_ENOTSUPP ? 0 : written;
	}
	if (r == -KERNEL_ENOTSUPP)
		r = write_one_by_one(c, keys, values, count);
	if (r < 0)
		return error_set(e, r, "cannot write an entry of the new one, after %llu: %s",
				 (unsigned long long)c->count, error_string(r));
	return 0;
}

static bool is_untouched(const struct copying *c, const unsigned char *value)
{
	return c->zeros && memcmp(value, c->zeros, c->to->value_size) == 0;
}

static int copy_entries(void *arg, const unsigned char *keys, const unsigned char *values,
			uint32_t count, struct error *e)
{
	struct copying *c = arg;
	uint32_t key_size = c->to->key_size, value_size = c->to->value_size;
	uint32_t run_max = c->spreading.wanted ? LRU_RUN : UINT32_MAX;
	int r = 0;

	for (uint32_t i = 0, n; r == 0 && i < count; i += MAX(n, 1u)) {
		for (n = 0; n < run_max && i + n < count; n++) {
			const unsigned char *key = keys + (size_t)(i + n) * key_size;
			const unsigned char *value = values + (size_t)(i + n) * value_size;

			if (is_untouched(c, value))
				break;
			map_snapshot_put(c->snapshot, map_snapshot_hash(c->snapshot, key, key_size),
					 map_snapshot_hash(c->snapshot, value, value_size));
		}
		if (n > 0)
			r = write_run(c, keys + (size_t)i * key_size,
				      values + (size_t)i * value_size, n, e);
	}
	return r;
}

int map_copy(struct map_snapshots *s, const int fds[2], uint64_t deadline_ns, uint64_t *ret_count,
	     struct error *e)
{
	cleanup(freep) void *zeros = NULL;
	struct map_reader readers[2];
	struct copying c = { .to = &readers[1] };
	struct map_pair pair;
	int r = init_readers(readers, fds, deadline_ns, e);

	if (r < 0)
		return r;
	pair = (struct map_pair){ readers[0].id, readers[1].id };
	c.snapshot = map_snapshots_begin(s, pair);
	if (readers[0].is_array)
		c.zeros = zeros = xcalloc(1, readers[0].value_size);
	spreading_begin(&c.spreading, &readers[1]);
	r = map_read(&readers[0], copy_entries, &c, e);
	spreading_done(&c.spreading);
	if (r < 0)
		map_snapshots_drop(s, pair);
	*ret_count = c.count;
	return r;
}

/* --- the second sweep ----------------------------------------------------------------------- */

struct sync {
	const struct map_reader *from, *to;
	struct map_snapshot *snapshot; /* NULL: all that can be done is to add what is new */
	/*
	 * Of a trie: what the new map has. Lookups there find shorter prefixes, and before 6.13 the kernel does not look
	 * at BPF_NOEXIST and BPF_EXIST.
	 */
	struct map_snapshot *present;
	uint64_t zero; /* hash of a value that nobody wrote yet, in an array */
	void *value;
	uint64_t changed, added, removed, kept, no_room;
	bool too_large, timed_out;
};

static int remember_entry(struct sync *s, const void *key, const void *value, struct error *e)
{

	(void)e;
	map_snapshot_put(s->present, map_snapshot_hash(s->present, key, s->to->key_size),
			 map_snapshot_hash(s->present, value, s->to->value_size));
	return 0;
}

/* The hash of what the new map has there; 1: found, 0: nothing is. */
static int look_up_new(struct sync *s, const void *key, uint64_t *ret, struct error *e)
{
	int r;

	if (s->present)
		return map_snapshot_find(s->present,
					 map_snapshot_hash(s->present, key, s->to->key_size), ret);
	r = bpf_map_lookup_elem_flags(s->to->fd, key, s->value, s->to->locked ? BPF_F_LOCK : 0);
	if (r < 0 && r != -ENOENT)
		return error_set(e, r, "cannot read an entry of the new one: %s", error_string(r));
	*ret = r == 0 && s->snapshot ? map_snapshot_hash(s->snapshot, s->value, s->to->value_size) :
				       0;
	return r == 0;
}

/* What the new version changed meanwhile, or has by now as well, is not touched. */
static int write_new(struct sync *s, const void *key, const void *value, uint64_t flags,
		     uint64_t *count, struct error *e)
{
	int r;

	if (s->to->type == BPF_MAP_TYPE_LPM_TRIE)
		flags = BPF_ANY;
	r = bpf_map_update_elem(s->to->fd, key, value, flags);
	if (r == 0)
		++*count;
	else if (r == -EEXIST || r == -ENOENT)
		s->kept++;
	else if (r == -E2BIG || r == -ENOSPC)
		s->no_room++;
	else
		return error_set(e, r, "cannot write an entry of the new one: %s", error_string(r));
	return 0;
}

static int add_entry(struct sync *s, const void *key, const void *value, uint64_t hash,
		     struct error *e)
{
	uint64_t theirs;
	int r = look_up_new(s, key, &theirs, e);

	if (r == 0)
		return write_new(s, key, value, BPF_NOEXIST, &s->added, e);
	if (r > 0 && s->snapshot && theirs != hash)
		s->kept++;
	return MIN(r, 0);
}

static int change_entry(struct sync *s, const void *key, const void *value,
			const uint64_t hashes[2], struct error *e)
{
	uint64_t theirs = 0;
	int r = look_up_new(s, key, &theirs, e);

	if (r < 0 || (r > 0 && theirs == hashes[1]))
		return r < 0 ? r : 0;
	if (r > 0 && theirs == hashes[0])
		return write_new(s, key, value, BPF_EXIST | (s->to->locked ? BPF_F_LOCK : 0),
				 &s->changed, e);
	s->kept++;
	return 0;
}

static int sync_entry(struct sync *s, const void *key, const void *value, struct error *e)
{
	uint64_t key_hash, hashes[2] = { s->zero, 0 }; /* of the value then and now */
	bool known;
	int r = 0;

	if (!s->snapshot)
		return s->to->is_array ? 0 : add_entry(s, key, value, 0, e);
	key_hash = map_snapshot_hash(s->snapshot, key, s->from->key_size);
	hashes[1] = map_snapshot_hash(s->snapshot, value, s->from->value_size);
	known = map_snapshot_find(s->snapshot, key_hash, &hashes[0]) || s->to->is_array;
	if (!known)
		r = add_entry(s, key, value, hashes[1], e);
	else if (hashes[0] != hashes[1])
		r = change_entry(s, key, value, hashes, e);
	/* So that another sweep, after a failure, finds what is still to be done. */
	if (r == 0 && (!known || hashes[0] != hashes[1]))
		map_snapshot_renew(s->snapshot, key_hash, hashes[1]);
	return r;
}

/* Entries of the new map that the old one had at the first sweep and has no more. */
static int remove_entry(struct sync *s, const void *key, const void *value, struct error *e)
{
	uint64_t was;
	int r;

	if (!map_snapshot_find_gone(s->snapshot,
				    map_snapshot_hash(s->snapshot, key, s->to->key_size), &was))
		return 0;
	if (map_snapshot_hash(s->snapshot, value, s->to->value_size) != was) {
		s->kept++;
		return 0;
	}
	r = bpf_map_delete_elem(s->to->fd, key);
	if (r < 0 && r != -ENOENT)
		return error_set(e, r, "cannot delete an entry of the new one: %s",
				 error_string(r));
	s->removed += r == 0;
	return 0;
}

typedef int sync_visit(struct sync *s, const void *key, const void *value, struct error *e);

struct reading {
	struct sync *sync;
	const struct map_reader *reader;
	sync_visit *visit;
};

static int visit_each(void *arg, const unsigned char *keys, const unsigned char *values,
		      uint32_t count, struct error *e)
{
	const struct reading *reading = arg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = reading->visit(reading->sync, keys + i * reading->reader->key_size,
				   values + i * reading->reader->value_size, e);
	return r;
}

static int read_each(struct sync *s, const struct map_reader *r, sync_visit *visit, struct error *e)
{
	struct reading reading = { s, r, visit };

	return map_read(r, visit_each, &reading, e);
}

static int sweep(struct sync *s, struct error *e)
{
	int r = 0;

	if (s->present)
		r = read_each(s, s->to, remember_entry, e);
	if (r == 0 && s->present && map_snapshot_overflowed(s->present)) {
		s->too_large = true;
		return 0;
	}
	if (r == 0 && s->snapshot)
		map_snapshot_rewind(s->snapshot);
	if (r == 0)
		r = read_each(s, s->from, sync_entry, e);
	if (r == 0 && s->snapshot && !s->to->is_array && map_snapshot_gone(s->snapshot) > 0)
		r = read_each(s, s->to, remove_entry, e);
	return r;
}

/* By user space, so that system calls cannot write it; only /proc tells. */
static bool is_frozen(int fd)
{
	cleanup(fclosep) FILE *f = NULL;
	char path[64], line[128];
	unsigned int frozen = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && frozen == 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "frozen: %u", &frozen) != 1)
			frozen = 0;
	return frozen == 1;
}

static const char *describe(struct arena *a, const struct sync *s, const char *map)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };

	if (s->too_large)
		strbuf_addf(&text,
			    "map %s: too large to tell what the old version changed since the "
			    "first sweep",
			    map);
	else if (s->snapshot)
		strbuf_addf(&text,
			    "map %s: since the first sweep the old version changed %llu entries, "
			    "added %llu and deleted %llu",
			    map, (unsigned long long)s->changed, (unsigned long long)s->added,
			    (unsigned long long)s->removed);
	else
		strbuf_addf(&text,
			    "map %s: %llu entries added that the old version had and the new one "
			    "lacked; what changed since the first sweep is not known any more",
			    map, (unsigned long long)s->added);
	if (s->kept)
		strbuf_addf(&text, "; %llu that the new version has changed stay as they are",
			    (unsigned long long)s->kept);
	if (s->timed_out)
		strbuf_addf(&text, "; given up after %d seconds, what is behind that is not known",
			    MAP_SWEEP_MS / 1000);
	if (s->no_room)
		strbuf_addf(&text, "; for %llu there was no room", (unsigned long long)s->no_room);
	return arena_strdup(a, strbuf_get(&text));
}

static int sync_maps(const struct kern_context *c, struct arena *a, const struct op_map_sync *op,
		     const int fds[2], struct op_result *ret)
{
	struct map_reader readers[2];
	cleanup(freep) void *value = NULL;
	struct sync s = { .from = &readers[0], .to = &readers[1] };
	struct map_pair scratch = { 0 }; /* no map has this id */
	cleanup(map_sweep_end) struct map_sweep time = map_sweep_begin(c);
	int r = init_readers(readers, fds, time.deadline_ns, &ret->error);

	if (r < 0)
		return r;
	scratch.to = s.to->id;
	s.value = value = xcalloc(1, s.to->value_size);
	s.snapshot = map_snapshots_find(c->snapshots, (struct map_pair){ s.from->id, s.to->id });
	if (s.snapshot && s.to->is_array)
		s.zero = map_snapshot_hash(s.snapshot, value, s.to->value_size);
	if (s.to->type == BPF_MAP_TYPE_LPM_TRIE)
		s.present = map_snapshots_begin(c->snapshots, scratch);
	r = sweep(&s, &ret->error);
	if (s.present)
		map_snapshots_drop(c->snapshots, scratch);
	if (r ==
	    -ETIMEDOUT) { /* the next attempt would come no further, and hold up the daemon as well */
		ret->error = (struct error){ 0 };
		s.timed_out = true;
		r = 0;
	}
	if (r == 0)
		ret->note = describe(a, &s, op->to.map);
	return r;
}

static int sync_or_freeze(const struct kern_context *c, struct arena *a, const struct op *op,
			  const int fds[2], struct op_result *ret)
{
	int r;

	if (is_frozen(fds[1])) {
		ret->note = arena_printf(a, "map %s is frozen, so nothing is taken over any more",
					 op->sync.to.map);
		return 0;
	}
	r = sync_maps(c, a, &op->sync, fds, ret);
	/* Whoever froze the old one did not want the new one to be written either. */
	if (r == 0 && is_frozen(fds[0]) && bpf_map_freeze(fds[1]) < 0)
		return error_set(&ret->error, -errno, "cannot freeze it like the old one: %s",
				 error_string(errno));
	return r;
}

static int open_map(const struct kern_context *c, struct arena *a, const struct map_ref *map,
		    int *ret_fd, struct error *e)
{
	return pin_open(pin_path(c, a, layout_map_pin(a, map->instance, map->version, map->map)),
			ret_fd, e);
}

void map_sync_apply(const struct kern_context *c, struct arena *a, const struct op *op,
		    struct op_result *ret)
{
	const struct op_map_sync *sync = &op->sync;
	cleanup(closep) int from = -1, to = -1;
	int r;

	r = open_map(c, a, &sync->from, &from, &ret->error);
	if (r == -ENOENT) {
		ret->error = (struct error){ 0 };
		ret->note = arena_printf(a,
					 "map %s: the old version's is gone, and with it what "
					 "changed since the first sweep",
					 sync->to.map);
		return;
	}
	if (r == 0)
		r = open_map(c, a, &sync->to, &to, &ret->error);
	if (r == 0)
		r = sync_or_freeze(c, a, op, (const int[]){ from, to }, ret);
	if (r == 0)
		return;
	ret->note = NULL;
	error_prefix(&ret->error, r, "map %s cannot take over what changed in version %s",
		     sync->to.map, sync->from.version);
	if (r == -ENOENT)
		result_fail(ret, r);
	else
		result_fail_as(ret, r, "MapCopyFailed");
}
