/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Everything that bpfshare can leave behind, as text in which two runs with the same result are
 * equal: files and pins below some directories, the mounts there, roots and links of all
 * interfaces, and which of the programs, maps and links that were ever made (CREATED) still live.
 *
 * Numbers given by the kernel are left out. In a name that holds one they are '#', and
 * a program, map or link is called by the first of its pins. What lives and has no pin is
 * listed by its own name: an orphan, or a map that a program alone holds.
 *
 * Nothing is opened by its id. A program array whose last descriptor goes is emptied by a work item that
 * holds a reference; if somebody opens and closes it once more before that runs, the kernel (6.18 still does)
 * takes a second reference for the item that is queued already, and the map lives for ever.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tools/crashtool.h"

#define TCX_INGRESS 46 /* enum bpf_attach_type of Linux 6.6 */
#define TCX_EGRESS  47

#define LINK_TYPE_TCX 11 /* enum bpf_link_type, likewise */

/* Of our metadata (model/meta.h): its header has the length, and one line of an object's differs from run to run. */
#define META_MAGIC  "BPFSHARE"
#define META_HEADER 16
#define LOAD_TIME   "loaded_ns="

enum kind { KIND_PROGRAM, KIND_MAP, KIND_LINK, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = { "prog", "map", "link" };

struct pin {
	char *path; /* with '#' for numbers */
	enum kind kind;
	uint32_t id;
	int fd;
};

struct created {
	enum kind kind;
	uint32_t id;
	char name[BPF_OBJ_NAME_LEN + 2];
};

struct lines {
	char **v;
	size_t n;
};

/* ftw() has no argument for its callback. */
static struct {
	struct pin *pins;
	size_t pin_count;
	struct created *created;
	size_t created_count;
	struct lines lines;
	const char *base; /* left out at the front of each path */
} state;

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "crashtool: out of memory\n");
		exit(1);
	}
	return p;
}

__attribute__((format(printf, 1, 2))) static void line(const char *fmt, ...)
{
	struct lines *l = &state.lines;
	va_list ap;

	l->v = must(realloc(l->v, (l->n + 1) * sizeof(*l->v)));
	va_start(ap, fmt);
	if (vasprintf(&l->v[l->n++], fmt, ap) < 0)
		must(NULL);
	va_end(ap);
}

/* "chains/4711/meta" -> "chains/#/meta", "links/5@name", "dispatch-3-4711": numbers between delimiters. */
static char *without_numbers(const char *path)
{
	size_t base = strlen(state.base);
	char *s = must(strdup(path)), *to = s;

	for (const char *p = strncmp(path, state.base, base) ? path : path + base; *p;) {
		size_t n = strspn(p, "0123456789");
		bool before = p > path && strchr("/-@", p[-1]);
		bool after = p[n] == '\0' || strchr("/-@", p[n]);

		if (n && before && after) {
			*to++ = '#';
			p += n;
		} else {
			*to++ = *p++;
		}
	}
	*to = '\0';
	return s;
}

/* --- pins ------------------------------------------------------------------------- */

static bool kind_of(int fd, enum kind *ret)
{
	char link[64], name[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	name[n < 0 ? 0 : n] = '\0';
	for (int i = 0; i < KIND_COUNT; i++) {
		snprintf(link, sizeof(link), "anon_inode:bpf-%s", kind_names[i]);
		if (!strcmp(name, link) || (i == KIND_LINK && !strcmp(name, "anon_inode:bpf_link")))
			return *ret = (enum kind)i, true;
	}
	return false;
}

static uint32_t id_of(int fd, enum kind kind)
{
	struct bpf_prog_info program = { 0 };
	struct bpf_link_info link = { 0 };
	struct bpf_map_info map = { 0 };
	uint32_t size = kind == KIND_PROGRAM ? sizeof(program) :
			kind == KIND_MAP     ? sizeof(map) :
					       sizeof(link);
	void *info = kind == KIND_PROGRAM ? (void *)&program :
		     kind == KIND_MAP     ? (void *)&map :
					    (void *)&link;

	if (bpf_obj_get_info_by_fd(fd, info, &size) < 0)
		return 0;
	return kind == KIND_PROGRAM ? program.id : kind == KIND_MAP ? map.id : link.id;
}

static void pin_add(const char *path, const char *shown)
{
	LIBBPF_OPTS(bpf_obj_get_opts, read_only, .file_flags = BPF_F_RDONLY);
	struct pin *p;
	int fd = bpf_obj_get(path);
	enum kind kind;

	if (fd < 0)
		fd = bpf_obj_get_opts(path, &read_only);
	if (fd < 0 || !kind_of(fd, &kind)) {
		line("pin %s unreadable: %s", shown, strerror(errno));
		return;
	}
	state.pins = must(realloc(state.pins, (state.pin_count + 1) * sizeof(*state.pins)));
	p = &state.pins[state.pin_count++];
	*p = (struct pin){ must(strdup(shown)), kind, id_of(fd, kind), fd };
}

static uint64_t checksum(const unsigned char *bytes, size_t n)
{
	uint64_t hash = 14695981039346656037ull; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ bytes[i]) * 1099511628211ull;
	return hash;
}

/* What a file holds; that of a process id differs each time. */
static void show_content(const char *path, const char *shown)
{
	static unsigned char bytes[1 << 20];
	const char *name = strrchr(path, '/');
	FILE *f = name && strcmp(name, "/pid") != 0 ? fopen(path, "re") : NULL;
	size_t n;

	if (!f)
		return;
	n = fread(bytes, 1, sizeof(bytes), f);
	line("file %s holds %016llx", shown, (unsigned long long)checksum(bytes, n));
	fclose(f);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char *shown = without_numbers(path);
	char target[PATH_MAX] = "";
	struct statfs fs;
	bool pin = type == FTW_F && S_ISREG(st->st_mode) && statfs(path, &fs) == 0 &&
		   fs.f_type == BPF_FS_MAGIC;

	(void)ftw;
	if (type == FTW_SL && readlink(path, target, sizeof(target) - 1) < 0)
		snprintf(target, sizeof(target), "?");
	line("%s %s mode %06o owner %u:%u%s%s", pin ? "pin" : "file", shown, st->st_mode,
	     st->st_uid, st->st_gid, *target ? " -> " : "", target);
	if (pin)
		pin_add(path, shown);
	else if (type == FTW_F && S_ISREG(st->st_mode))
		show_content(path, shown);
	free(shown);
	return 0;
}

static int pin_compare(const void *a, const void *b)
{
	return strcmp(((const struct pin *)a)->path, ((const struct pin *)b)->path);
}

/* The first of its pins; NULL: none. */
static const char *pinned_name(enum kind kind, uint32_t id)
{
	for (size_t i = 0; i < state.pin_count; i++)
		if (state.pins[i].kind == kind && state.pins[i].id == id)
			return state.pins[i].path;
	return NULL;
}

/* Without a pin: what it was called when it was made. */
static const char *name_of(enum kind kind, uint32_t id)
{
	const char *name = pinned_name(kind, id);

	for (size_t i = 0; !name && i < state.created_count; i++)
		if (state.created[i].kind == kind && state.created[i].id == id)
			name = state.created[i].name;
	return name ? name : "(unknown)";
}

static int word_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_program(const struct pin *p)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info), maps[64];

	info.nr_map_ids = 64;
	info.map_ids = (uint64_t)(uintptr_t)maps;
	if (bpf_obj_get_info_by_fd(p->fd, &info, &size) < 0)
		info = (struct bpf_prog_info){ 0 };
	line("program %s is %s: %s%s", p->path, pinned_name(KIND_PROGRAM, p->id), info.name,
	     info.btf_id ? " typed" : "");
	for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++)
		line("program %s uses %s", p->path, name_of(KIND_MAP, maps[i]));
}

static void show_slots(const struct pin *p, uint32_t count)
{
	uint32_t id;

	for (uint32_t i = 0; i < count; i++)
		if (bpf_map_lookup_elem(p->fd, &i, &id) == 0)
			line("slot %u of %s: %s", i, p->path, name_of(KIND_PROGRAM, id));
}

/* Leaves the one line out; returns how many bytes remain. */
static size_t without_load_time(unsigned char *value, size_t n)
{
	unsigned char *line = memmem(value, n, LOAD_TIME, strlen(LOAD_TIME));
	unsigned char *end = line ? memchr(line, '\n', n - (size_t)(line - value)) : NULL;

	if (!end)
		return n;
	memmove(line, end, n - (size_t)(end - value));
	return n - (size_t)(end - line);
}

/* Frozen arrays of one value: variables of the object file, and our metadata, whose length varies with its times. */
static void show_constant(const struct pin *p, const struct bpf_map_info *info)
{
	unsigned char *value = must(calloc(1, info->value_size));
	size_t n = info->value_size, skipped = 0;
	uint32_t key = 0;

	if (bpf_map_lookup_elem(p->fd, &key, value) < 0)
		n = 0;
	if (n > META_HEADER && !memcmp(value, META_MAGIC, strlen(META_MAGIC))) {
		n = without_load_time(value, n);
		skipped = META_HEADER;
	}
	line("map %s is %s: holds %016llx", p->path, pinned_name(KIND_MAP, p->id),
	     (unsigned long long)checksum(value + skipped, n - skipped));
	free(value);
}

/* Whether a later version knows what the entries mean; of the slots of a dispatcher that is no question. */
static bool is_typed(const struct bpf_map_info *info)
{
	return info->btf_value_type_id && info->type != BPF_MAP_TYPE_PROG_ARRAY;
}

static void show_map(const struct pin *p)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(p->fd, &info, &size) < 0)
		return;
	if (info.type == BPF_MAP_TYPE_ARRAY && (info.map_flags & BPF_F_RDONLY_PROG)) {
		show_constant(p, &info);
		return;
	}
	line("map %s is %s: type %u key %u value %u entries %u flags 0x%x%s", p->path,
	     pinned_name(KIND_MAP, p->id), info.type, info.key_size, info.value_size,
	     info.max_entries, info.map_flags, is_typed(&info) ? " typed" : "");
	if (info.type == BPF_MAP_TYPE_PROG_ARRAY)
		show_slots(p, info.max_entries);
}

static void show_link(const struct pin *p)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info), ifindex = 0;
	char name[IF_NAMESIZE] = "-";

	if (bpf_obj_get_info_by_fd(p->fd, &info, &size) < 0)
		return;
	/* That of TCX is in the same place; headers before Linux 6.6 do not have it. */
	if (info.type == BPF_LINK_TYPE_XDP || info.type == LINK_TYPE_TCX)
		ifindex = info.xdp.ifindex;
	if (ifindex)
		if_indextoname(ifindex, name);
	line("link %s is %s: type %u on %s runs %s", p->path, pinned_name(KIND_LINK, p->id),
	     info.type, name, name_of(KIND_PROGRAM, info.prog_id));
}

/* --- interfaces and mounts ------------------------------------------------------------ */

static void show_xdp(const char *interface, int index)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	const struct {
		const char *mode;
		const uint32_t *id;
	} roots[] = { { "native", &q.drv_prog_id },
		      { "generic", &q.skb_prog_id },
		      { "offload", &q.hw_prog_id } };

	if (bpf_xdp_query(index, 0, &q) < 0)
		return;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (*roots[i].id)
			line("root of %s, %s: %s", interface, roots[i].mode,
			     name_of(KIND_PROGRAM, *roots[i].id));
}

static void show_tcx(const char *interface, int index, int place)
{
	uint32_t programs[64], links[64];
	LIBBPF_OPTS(bpf_prog_query_opts, q, .prog_ids = programs, .link_ids = links,
		    .prog_cnt = 64);

	if (bpf_prog_query_opts(index, (enum bpf_attach_type)place, &q) < 0)
		return;
	for (uint32_t i = 0; i < q.prog_cnt; i++)
		line("tcx of %s, %s, place %u: %s by %s", interface,
		     place == TCX_INGRESS ? "ingress" : "egress", i,
		     name_of(KIND_PROGRAM, programs[i]), name_of(KIND_LINK, links[i]));
}

static void show_interfaces(void)
{
	struct if_nameindex *list = if_nameindex();

	for (struct if_nameindex *i = list; i && i->if_index; i++) {
		show_xdp(i->if_name, (int)i->if_index);
		show_tcx(i->if_name, (int)i->if_index, TCX_INGRESS);
		show_tcx(i->if_name, (int)i->if_index, TCX_EGRESS);
	}
	if_freenameindex(list);
}

static bool is_below(const char *path, char **directories)
{
	size_t n;

	for (; *directories; directories++) {
		n = strlen(*directories);
		if (!strncmp(path, *directories, n) && (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

/* mountinfo: id parent device root POINT OPTIONS [shared:N ...] - TYPE SOURCE SUPER */
static void show_mounts(char **directories)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char text[4096], point[2048], options[512], rest[1024], *shown;

	while (f && fgets(text, sizeof(text), f)) {
		if (sscanf(text, "%*d %*d %*s %*s %2047s %511s %1023[^\n]", point, options, rest) !=
			    3 ||
		    !is_below(point, directories))
			continue;
		shown = without_numbers(point);
		line("mount %s %s %s%s", shown, options, strstr(rest, "shared:") ? "shared " : "",
		     strstr(rest, "- "));
		free(shown);
	}
	if (f)
		fclose(f);
}

/* --- what was made --------------------------------------------------------------------- */

static int created_read(const char *path)
{
	FILE *f = fopen(path, "re");
	struct created c;
	char word[8];

	if (!f) {
		fprintf(stderr, "crashtool: %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (fscanf(f, "%7s %u %17s", word, &c.id, c.name) == 3)
		for (int kind = 0; kind < KIND_COUNT; kind++) {
			if (strcmp(word, kind_names[kind]) != 0)
				continue;
			c.kind = (enum kind)kind;
			state.created =
				must(realloc(state.created, (state.created_count + 1) * sizeof(c)));
			state.created[state.created_count++] = c;
		}
	fclose(f);
	return 0;
}

static bool is_alive(const struct created *c)
{
	uint32_t before = c->id - 1, next = 0;

	return (c->kind == KIND_PROGRAM ? bpf_prog_get_next_id(before, &next) :
		c->kind == KIND_MAP     ? bpf_map_get_next_id(before, &next) :
					  bpf_link_get_next_id(before, &next)) == 0 &&
	       next == c->id;
}

/* A dispatcher that nobody pinned, which is what would keep its array. */
static bool has_lone_dispatcher(void)
{
	for (size_t i = 0; i < state.created_count; i++) {
		const struct created *c = &state.created[i];

		if (c->kind == KIND_PROGRAM &&
		    !strncmp(c->name, "(bpfshare", strlen("(bpfshare")) && is_alive(c) &&
		    !pinned_name(c->kind, c->id))
			return true;
	}
	return false;
}

/*
 * Arrays of dispatchers that are gone: what else looks through all maps by id, as `bpftool map` does, may make the
 * kernel keep them (see above).
 */
static bool is_kept_by_kernel(const struct created *c)
{
	return c->kind == KIND_MAP && !strcmp(c->name, "(members)") && !has_lone_dispatcher();
}

/* Lists those that live and keeps them in the file; the others never come back. */
static int show_created(const char *path)
{
	FILE *f = fopen(path, "we");

	for (size_t i = 0; f && i < state.created_count; i++) {
		const struct created *c = &state.created[i];

		if (!is_alive(c))
			continue;
		fprintf(f, "%s %u %s\n", kind_names[c->kind], c->id, c->name);
		if (!pinned_name(c->kind, c->id) && !is_kept_by_kernel(c))
			line("alive without a pin: %s %s", kind_names[c->kind], c->name);
	}
	if (f && fclose(f) == 0)
		return 0;
	fprintf(stderr, "crashtool: %s: %s\n", path, strerror(errno));
	return -1;
}

static bool is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/* The sum of the numbers that the values of all entries begin with, on all CPUs. */
static int count(const char *path, uint64_t *ret)
{
	LIBBPF_OPTS(bpf_obj_get_opts, read_only, .file_flags = BPF_F_RDONLY);
	int fd = bpf_obj_get_opts(path, &read_only), r;
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	unsigned char key[64], *values;
	size_t step, copies;
	uint64_t number;

	*ret = 0;
	r = fd < 0 ? -1 : bpf_obj_get_info_by_fd(fd, &info, &size);
	if (r == 0 && (info.key_size > sizeof(key) || info.value_size < sizeof(number)))
		r = -1, errno = EINVAL;
	step = (info.value_size + 7u) & ~7u;
	copies = is_per_cpu(info.type) ? (size_t)libbpf_num_possible_cpus() : 1;
	values = must(calloc(copies, step + 8));
	if (r == 0)
		r = bpf_map_get_next_key(fd, NULL, key);
	for (; r == 0; r = bpf_map_get_next_key(fd, key, key)) {
		if (bpf_map_lookup_elem(fd, key, values) < 0)
			continue; /* it has gone meanwhile */
		for (size_t i = 0; i < copies; i++) {
			memcpy(&number, values + i * step, sizeof(number));
			*ret += number;
		}
	}
	if (r < 0 && errno == ENOENT)
		r = 0;
	if (fd >= 0)
		close(fd);
	free(values);
	return r;
}

int crash_counts(char **pins)
{
	uint64_t sum;

	for (; *pins; pins++) {
		if (count(*pins, &sum) < 0) {
			fprintf(stderr, "crashtool: %s: %s\n", *pins, strerror(errno));
			return 1;
		}
		printf("%llu\n", (unsigned long long)sum);
	}
	return 0;
}

int crash_state(const char *created_path, const char *base, char **directories)
{
	int r;

	state.base = base;

	libbpf_set_print(NULL);
	if (created_read(created_path) < 0)
		return 1;
	for (char **d = directories; *d; d++)
		if (nftw(*d, visit, 64, FTW_PHYS) < 0 && errno != ENOENT) {
			fprintf(stderr, "crashtool: %s: %s\n", *d, strerror(errno));
			return 1;
		}
	if (state.pin_count > 0)
		qsort(state.pins, state.pin_count, sizeof(*state.pins), pin_compare);
	for (size_t i = 0; i < state.pin_count; i++) {
		const struct pin *p = &state.pins[i];

		if (p->kind == KIND_PROGRAM)
			show_program(p);
		else if (p->kind == KIND_MAP)
			show_map(p);
		else
			show_link(p);
	}
	show_interfaces();
	show_mounts(directories);
	r = show_created(created_path);
	if (state.lines.n > 0)
		qsort(state.lines.v, state.lines.n, sizeof(*state.lines.v), word_compare);
	for (size_t i = 0; i < state.lines.n; i++)
		puts(state.lines.v[i]);
	return r < 0 ? 1 : 0;
}
