/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/program_users.h"

#include <errno.h>
#include <stdbool.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "bpf/program_users.skel.h"
#include "kern/verifier.h"

struct program_users {
	struct program_users_bpf *bpf; /* NULL: not loaded, or cannot be */
	struct bpf_link *link;
	bool tried;
	struct error why;
};

struct program_users *program_users_new(void)
{
	return xnew(struct program_users);
}

void program_users_free(struct program_users *u)
{
	if (!u)
		return;
	(void)bpf_link__destroy(u->link);
	program_users_bpf__destroy(u->bpf);
	free(u);
}

static int load(struct program_users *u)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	struct op_result result = { 0 };

	program_users_bpf__destroy(u->bpf);
	u->bpf = program_users_bpf__open();
	if (!u->bpf)
		return error_set(&u->why, -errno, "the iterator cannot be opened: %s",
				 error_string(errno));
	if (verifier_load(u->bpf->obj, a, &result) < 0) {
		u->why = result.error;
		return result.code;
	}
	u->link = bpf_program__attach_iter(u->bpf->progs.bpfshare_users, NULL);
	if (!u->link)
		return error_set(&u->why, -errno, "the iterator cannot be attached: %s",
				 error_string(errno));
	return 0;
}

/* What another attempt may well do: a lack of memory must not be remembered for good. */
static bool is_passing(int code)
{
	return code == -ENOMEM || code == -EAGAIN || code == -EINTR || code == -EBUSY;
}

int program_users_count(struct program_users *u, uint32_t id, int64_t *ret, struct error *e)
{
	cleanup(closep) int fd = -1;
	const uint32_t key = 0;
	int64_t count = 0;
	ssize_t n;

	if (!u->tried)
		u->tried = !is_passing(load(u));
	if (!u->link)
		return error_set(e, -EOPNOTSUPP, "%s", u->why.text);
	if (bpf_map_update_elem(bpf_map__fd(u->bpf->maps.wanted), &key, &id, BPF_ANY) < 0)
		return error_set(e, -errno, "cannot say which program: %s", error_string(errno));
	fd = bpf_iter_create(bpf_link__fd(u->link));
	if (fd < 0)
		return error_set(e, -errno, "cannot list programs: %s", error_string(errno));
	do
		n = read(fd, &count, sizeof(count));
	while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return error_set(e, -errno, "cannot list programs: %s", error_string(errno));
	/* The iterator itself holds the program that it shows. */
	*ret = n == sizeof(count) ? count - 1 : 0;
	return 0;
}
