// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An iterator over all BPF programs that writes how many references one of them has. The kernel tells that nowhere
 * else, and an interface in a network namespace that nobody can name shows in no other way.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

/* What is used of the kernel's own structures; places are those of the running kernel. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct reference_count { /* atomic64_t: matched by place, so that its inside does not matter */
	__s64 counter;
};

struct bpf_prog_aux {
	struct reference_count refcnt;
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};

#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wanted SEC(".maps");

SEC("iter/bpf_prog")
int bpfshare_users(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *program = ctx->prog;
	__u32 key = 0, *id = bpf_map_lookup_elem(&wanted, &key);
	__s64 count;

	if (!program || !id || program->aux->id != *id)
		return 0;
	count = program->aux->refcnt.counter;
	bpf_seq_write(ctx->meta->seq, &count, sizeof(count));
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
