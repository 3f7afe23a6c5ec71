/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Exclusive XDP roots and programs of TCX: links that are pinned as links/ID. Internal to kern. */
#pragma once

#include "kern/context.h"

/* A link that is there (id) or is to be made at an interface of this namespace, in which the caller is. */
struct link_place {
	const char *netns; /* for the name of the pin; NULL: the daemon's own */
	uint32_t ifindex, id;
};

/*
 * Pinned links, and links without a pin that hold a program of ret->objects or a dispatcher of
 * ret->chains, which must be filled in already.
 */
int link_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		 struct error *e);

/* Attaches with one of the mode flags of linux/if_link.h and pins; all or nothing. */
int link_create(const struct kern_context *c, struct arena *a, const struct link_place *at,
		int program_fd, uint32_t mode_flag, struct error *e);
/* Pins a new link: without that it goes, and detaches, with its descriptor. */
int link_keep(const struct kern_context *c, struct arena *a, const char *netns, int fd,
	      struct error *e);
/* Pins it as well if it had lost its pin. */
int link_update(const struct kern_context *c, struct arena *a, const struct link_place *at,
		int program_fd, int expected_fd, struct error *e);
/*
 * Detaches and unpins; that it is gone already is fine. One without a pin, found by its id only, must
 * hold program_id: the id may be somebody else's by now.
 */
int link_remove(const struct kern_context *c, struct arena *a, uint32_t id, uint32_t program_id,
		struct error *e);

/* 1: an XDP or TCX link, told in *ret; 0: a link of another kind, or none of that id any more. */
int link_get(uint32_t id, struct observed_link *ret, struct error *e);
