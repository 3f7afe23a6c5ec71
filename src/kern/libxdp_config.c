/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/libxdp.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

_Static_assert(sizeof(struct libxdp_config_2) == 124, "the protocol's structure");
_Static_assert(sizeof(struct libxdp_config_3) == 128, "the protocol's structure");
_Static_assert(offsetof(struct libxdp_config_3, is_xdp_devbound) == 124,
	       "the protocol's structure");

/* Version 1 has no magic: the count of programs, a gap, actions and priorities. */
#define VERSION_1_SIZE 84

static uint32_t read_tag(const struct libxdp_config_3 *bytes)
{
	uint32_t high = bytes->program_flags[LIBXDP_TAG_SLOT_HIGH] & LIBXDP_TAG_MASK;
	uint32_t low = bytes->program_flags[LIBXDP_TAG_SLOT_LOW] & LIBXDP_TAG_MASK;

	return (high >> LIBXDP_TAG_SHIFT) << 16 | low >> LIBXDP_TAG_SHIFT;
}

static void read_slots(const struct libxdp_config_3 *bytes, struct libxdp_config *ret)
{
	ret->slot_count = bytes->num_progs_enabled;
	for (size_t i = 0; i < ret->slot_count; i++)
		ret->slots[i] = (struct libxdp_slot){
			.actions = bytes->chain_call_actions[i] & ~LIBXDP_ACTIONS_MARK,
			.priority = bytes->run_prios[i],
			.flags = bytes->program_flags[i] &
				 ~(LIBXDP_FLAG_REQUIRED | LIBXDP_TAG_MASK),
			.required = (bytes->program_flags[i] & LIBXDP_FLAG_REQUIRED) != 0,
		};
}

const char *libxdp_config_read(const void *data, size_t size, struct libxdp_config *ret)
{
	struct libxdp_config_3 bytes = { 0 };
	size_t least;

	*ret = (struct libxdp_config){ 0 };
	if (!data)
		return "it has not the one read-only array that a dispatcher of libxdp has";
	memcpy(&bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	if (size < 2 || bytes.magic != LIBXDP_MAGIC) {
		ret->version = size == VERSION_1_SIZE;
		return size == VERSION_1_SIZE ?
			       "it is of version 1 of libxdp's structure (xdp-tools before 1.3), to which "
			       "nothing can be added" :
			       "its map is none that a dispatcher of libxdp has";
	}
	ret->version = bytes.dispatcher_version;
	if (ret->version < LIBXDP_VERSION_MIN || ret->version > LIBXDP_VERSION_MAX)
		return "it is of a version of libxdp's structure that this bpfshare does not know";
	least = ret->version == 2 ? sizeof(struct libxdp_config_2) : sizeof(struct libxdp_config_3);
	if (size < least)
		return "its map is too small for the version that it claims to be";
	if (bytes.num_progs_enabled == 0 || bytes.num_progs_enabled > LIBXDP_SLOT_COUNT)
		return "it claims a number of programs that no dispatcher of libxdp has";
	ret->frags = bytes.is_xdp_frags != 0;
	ret->devbound = ret->version > 2 && bytes.is_xdp_devbound;
	ret->tag = read_tag(&bytes);
	read_slots(&bytes, ret);
	return NULL;
}

size_t libxdp_config_write(const struct libxdp_config *config, struct libxdp_config_3 *ret)
{
	*ret = (struct libxdp_config_3){
		.magic = LIBXDP_MAGIC,
		.dispatcher_version = (uint8_t)config->version,
		.num_progs_enabled = (uint8_t)config->slot_count,
		.is_xdp_frags = config->frags,
	};
	for (size_t i = 0; i < config->slot_count; i++) {
		const struct libxdp_slot *slot = &config->slots[i];

		ret->chain_call_actions[i] = slot->actions | LIBXDP_ACTIONS_MARK;
		ret->run_prios[i] = slot->priority;
		ret->program_flags[i] = slot->flags | (slot->required ? LIBXDP_FLAG_REQUIRED : 0);
	}
	ret->program_flags[LIBXDP_TAG_SLOT_HIGH] |= (config->tag >> 16) << LIBXDP_TAG_SHIFT;
	ret->program_flags[LIBXDP_TAG_SLOT_LOW] |= (config->tag & 0xffff) << LIBXDP_TAG_SHIFT;
	return config->version == 2 ? sizeof(struct libxdp_config_2) : sizeof(*ret);
}

uint32_t libxdp_tag(const struct kern_context *c)
{
	return (uint32_t)strtoul(c->tag, NULL, 16);
}
